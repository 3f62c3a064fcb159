//! Responses to sub-requests: correct ones, failures and random bytes, in any order.

use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Failure, Metadata, SignalOutcome, merge};
use onceway_wasm_host::SubResponse;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::mutate::random_bytes;

/// A sequence of responses, determined by a seed.
#[derive(Debug)]
pub(super) struct SubResponses(StdRng);

impl SubResponses {
    pub(super) fn new(seed: u64) -> SubResponses {
        SubResponses(StdRng::seed_from_u64(seed))
    }

    /// Which of the sub-requests in flight gets its response next, and the response. `authority` gives the `:authority`
    /// of a sub-request, which is its fingerprint.
    pub(super) fn next(&mut self, in_flight: usize, authority: impl Fn(usize) -> String) -> (usize, SubResponse) {
        let index = self.0.random_range(0..in_flight);
        let fingerprint = authority(index);
        let response = match self.0.random_range(0..12) {
            0 => SubResponse::reset(),
            1 => SubResponse::new(self.0.random_range(0..1000), random_bytes(&mut self.0, 40)),
            2 => SubResponse::new(503, "upstream connect error").header("retry-after", random_bytes(&mut self.0, 40)),
            3 => SubResponse::default().header(random_bytes(&mut self.0, 40), random_bytes(&mut self.0, 40)),
            4 => sent(vec![failed(&fingerprint, self.0.random_range(0..ProblemKind::ALL.len()))]),
            5 => sent(vec![counted(&fingerprint), SignalOutcome::rejected_at(1, "no name")]),
            6 => sent(vec![
                SignalOutcome::nothing_to_do(None, "x"),
                counted(&fingerprint),
                SignalOutcome::rejected_rest(2, 7),
            ]),
            7 => sent(vec![SignalOutcome::rejected("no".to_owned())]),
            _ => sent(vec![counted(&fingerprint)]),
        };
        (index, response)
    }
}

fn sent(outcomes: Vec<SignalOutcome>) -> SubResponse {
    let merged = merge(outcomes);
    let response = SubResponse::new(merged.status(), merged.to_json());
    merged
        .retry_after_s()
        .into_iter()
        .fold(response, |response, seconds| response.header("retry-after", seconds.to_string()))
}

fn failed(fingerprint: &str, kind: usize) -> SignalOutcome {
    let failure = Failure { problem: ProblemKind::ALL[kind], retry_after_seconds: 3 };
    SignalOutcome::failed(fingerprint.to_owned(), "why".to_owned(), failure)
}

fn counted(fingerprint: &str) -> SignalOutcome {
    let metadata = Metadata {
        fingerprint: fingerprint.to_owned(),
        count: 1,
        remediation_request_ref: "ns/rr".to_owned(),
        first_occurrence: "2026-03-01T10:00:00Z".to_owned(),
        last_occurrence: "2026-03-01T10:00:00Z".to_owned(),
    };
    SignalOutcome::counted(true, "ns".to_owned(), "rr".to_owned(), metadata)
}
