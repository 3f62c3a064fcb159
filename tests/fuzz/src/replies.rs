//! What comes back for parts: the right thing, another, or rubbish, in any order.

use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Failure, Metadata, SignalOutcome, merge};
use onceway_wasm_host::Reply;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A sequence of replies that follows from a seed.
#[derive(Debug)]
pub(super) struct Replies(StdRng);

impl Replies {
    pub(super) fn new(seed: u64) -> Replies {
        Replies(StdRng::seed_from_u64(seed))
    }

    /// Which of the parts in flight is replied to next, and what, given what it is hashed on.
    pub(super) fn next(&mut self, in_flight: usize, authority: impl Fn(usize) -> String) -> (usize, Reply) {
        let place = self.0.random_range(0..in_flight);
        let fingerprint = authority(place);
        let reply = match self.0.random_range(0..12) {
            0 => Reply::reset(),
            1 => Reply::new(self.0.random_range(0..1000), self.rubbish()),
            2 => Reply::new(503, "upstream connect error").header("retry-after", self.rubbish()),
            3 => Reply::default().header(self.rubbish(), self.rubbish()),
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
        (place, reply)
    }

    fn rubbish(&mut self) -> Vec<u8> {
        let length = self.0.random_range(0..40);
        (0..length).map(|_| self.0.random()).collect()
    }
}

fn sent(outcomes: Vec<SignalOutcome>) -> Reply {
    let answer = merge(outcomes);
    let reply = Reply::new(answer.status(), answer.to_json());
    answer.retry_after_s().into_iter().fold(reply, |reply, seconds| reply.header("retry-after", seconds.to_string()))
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
