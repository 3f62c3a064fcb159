//! A split body: sends each partition to its incident's owner, a bounded number at once, and merges the sub-responses
//! into one response.
//!
//! A split always ends: each partition is sent or fails, and each sub-request gets a sub-response or times out, all within
//! [`Config::split_timeout_ms`] of the start. A partition that the proxy does not send yet (circuit breaker open) is retried
//! when the next sub-response arrives; with none in flight it fails.

use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;

use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{SignalOutcome, SignalResponse, Status, merge};
use onceway_signal::{Fingerprint, Source};
use thiserror::Error;

use crate::affinity::Partition;
use crate::forward::{ForwardedHeaders, OwnHeaders};
use crate::retries::Attempt;
use crate::splits::{Ended, Place};
use crate::sub_response::{SubResponseHead, outcomes, unknown, unsent};
use crate::{Config, Host, HostError, Level, SubRequest, SubResponse};

/// A body whose partitions are being sent.
#[derive(Debug)]
pub(crate) struct Split {
    config: Rc<Config>,
    source: Source,
    cluster: String,
    headers: ForwardedHeaders,
    /// Freed when the last partition is sent.
    body: Vec<u8>,
    pending: VecDeque<Partition>,
    in_flight: Vec<InFlight>,
    /// The outcomes so far, each with its position in the body.
    outcomes: Vec<(usize, SignalOutcome)>,
    /// How many more bytes of sub-responses may be read.
    response_bytes_left: usize,
    /// When all sub-responses must be there; `None` if the proxy has no clock.
    deadline_ms: Option<u64>,
    attempt: Attempt,
    /// `None` if the proxy has no clock.
    place: Option<Place>,
}

/// A partition whose sub-request is in flight.
#[derive(Debug)]
struct InFlight {
    token: u32,
    target: OutcomeTarget,
}

/// When a split may take place.
#[derive(Debug)]
pub(crate) struct Turn {
    /// Which attempt at its webhook it is.
    pub(crate) attempt: Attempt,
    /// When all sub-responses must be there; `None` if the proxy has no clock.
    pub(crate) deadline_ms: Option<u64>,
    /// Its place among the splits in flight; `None` if the proxy has no clock.
    pub(crate) place: Option<Place>,
}

/// Which partition an outcome is for.
#[derive(Debug)]
struct OutcomeTarget {
    fingerprint: Fingerprint,
    position: usize,
    entries: Vec<usize>,
    outcome_positions: Vec<usize>,
}

/// Why a partition was not sent.
#[derive(Debug, Error)]
pub(crate) enum Unsent {
    /// The deadline had passed.
    #[error("not sent within {limit_ms} ms")]
    Late {
        /// The time for all partitions.
        limit_ms: u32,
    },
    /// The proxy did not send it.
    #[error("the proxy did not send the sub-request")]
    Proxy(#[source] HostError),
}

impl Unsent {
    fn outcome(&self) -> SignalOutcome {
        let problem = match self {
            Unsent::Late { .. } => ProblemKind::DeadlineExceeded,
            Unsent::Proxy(_) => ProblemKind::Unreachable,
        };
        unsent(problem, format!("{self}; retry"))
    }
}

impl From<Partition> for OutcomeTarget {
    fn from(partition: Partition) -> OutcomeTarget {
        let Partition { fingerprint, position, entries, outcome_positions, .. } = partition;
        OutcomeTarget { fingerprint, position, entries, outcome_positions }
    }
}

impl Split {
    /// A split of `body`; nothing is sent yet.
    pub(crate) fn new(
        config: Rc<Config>,
        source: Source,
        cluster: String,
        headers: ForwardedHeaders,
        body: Vec<u8>,
        partitions: Vec<Partition>,
        turn: Turn,
    ) -> Split {
        let Turn { attempt, deadline_ms, place } = turn;
        let response_bytes_left = usize::try_from(config.max_answer_bytes).unwrap_or(usize::MAX);
        Split {
            config,
            source,
            cluster,
            headers,
            body,
            pending: partitions.into(),
            in_flight: Vec::new(),
            outcomes: Vec::new(),
            response_bytes_left,
            deadline_ms,
            attempt,
            place,
        }
    }

    /// It has ended, and will be sent again: the next attempt at its webhook repeats nothing that was counted.
    pub(crate) fn failed(&self, host: &impl Host) {
        self.attempt.failed(host, host.now_ms().unwrap_or_default());
    }

    /// Its sender has left before the response, and sends it again. What is in flight was not counted in time.
    pub(crate) fn abandoned(&self, host: &impl Host) {
        self.failed(host);
        if let (Some(place), Ok(now)) = (&self.place, host.now_ms()) {
            self.in_flight.iter().for_each(|_| place.ended(Ended::Failed, now));
        }
    }

    /// Sends the first partitions.
    ///
    /// # Errors
    ///
    /// Not even one could be sent, so that no sub-response will come.
    pub(crate) fn start(&mut self, host: &impl Host) -> Result<(), Unsent> {
        if let Some(first) = self.pending.pop_front() {
            let token = self.send(host, &first)?;
            self.in_flight.push(InFlight { token, target: first.into() });
        }
        self.send_pending(host);
        Ok(())
    }

    /// Handles a sub-response and sends what can be sent now. Returns whether the split has ended.
    pub(crate) fn on_sub_response(&mut self, host: &impl Host, response: SubResponse) -> bool {
        let Some(index) = self.in_flight.iter().position(|sent| sent.token == response.token) else { return false };
        let InFlight { target, .. } = self.in_flight.swap_remove(index);
        let outcomes = self.read(host, response).unwrap_or_else(|message| vec![unknown(message)]);
        self.record(host, &target, outcomes);
        self.send_pending(host);
        self.in_flight.is_empty()
    }

    /// The response to the whole body.
    pub(crate) fn response(&mut self) -> SignalResponse {
        self.outcomes.sort_by_key(|(position, _)| *position);
        let outcomes = take(&mut self.outcomes).into_iter().map(|(_, outcome)| outcome).collect();
        match merge(outcomes) {
            SignalResponse::Problem(mut problem) => {
                problem.instance = Some(self.source.path());
                problem.request_id = self.headers.request_id().map(Box::from);
                SignalResponse::Problem(problem)
            }
            response => response,
        }
    }

    fn send_pending(&mut self, host: &impl Host) {
        let max_in_flight = usize::try_from(self.config.max_subrequests_in_flight).unwrap_or(usize::MAX);
        while self.in_flight.len() < max_in_flight
            && let Some(partition) = self.pending.pop_front()
        {
            match self.send(host, &partition) {
                Ok(token) => self.in_flight.push(InFlight { token, target: partition.into() }),
                Err(Unsent::Proxy(_)) if !self.in_flight.is_empty() => {
                    self.pending.push_front(partition);
                    break;
                }
                Err(reason) => {
                    if let Unsent::Proxy(error) = &reason {
                        host.log(Level::Debug, &format!("{reason}: {error}"));
                    }
                    self.record(host, &partition.into(), vec![reason.outcome()]);
                }
            }
        }
        if self.pending.is_empty() {
            self.body = Vec::new();
        }
    }

    fn send(&self, host: &impl Host, partition: &Partition) -> Result<u32, Unsent> {
        let limit_ms = self.config.split_timeout_ms;
        let timeout_ms = self.time_left_ms(host).ok_or(Unsent::Late { limit_ms })?;
        // Never `None`: the partition was taken from this body.
        let body = partition.payload.slice(&self.body).unwrap_or_default();
        let own = OwnHeaders {
            fingerprint: partition.fingerprint.hex(),
            rules: self.config.targets.hash(),
            webhook: self.attempt.id.hex(),
            time_left_ms: timeout_ms.to_string(),
        };
        let headers = self.headers.for_sub_request(&own);
        let request = SubRequest { cluster: &self.cluster, headers, body: &body, timeout_ms };
        host.dispatch(request).map_err(Unsent::Proxy)
    }

    /// The timeout of a sub-request that is sent now; `None` after the deadline.
    fn time_left_ms(&self, host: &impl Host) -> Option<u32> {
        let limit = self.config.split_timeout_ms;
        let (Some(deadline), Ok(now)) = (self.deadline_ms, host.now_ms()) else { return Some(limit) };
        let left = u32::try_from(deadline.saturating_sub(now)).unwrap_or(limit).min(limit);
        (left > 0).then_some(left)
    }

    /// The outcomes in a sub-response, or why there are none.
    fn read(&mut self, host: &impl Host, response: SubResponse) -> Result<Vec<SignalOutcome>, String> {
        if response.headers == 0 {
            return Err("the connection to a replica was reset; retry".to_owned());
        }
        let failed = |error: HostError| {
            host.log(Level::Debug, &format!("a replica's response could not be read: {error}"));
            "a replica's response could not be read; retry".to_owned()
        };
        let head = SubResponseHead::parse(&host.sub_response_headers().map_err(failed)?)
            .ok_or_else(|| failed(HostError::Malformed { call: "proxy_get_header_map_pairs" }))?;
        let Some(left) = self.response_bytes_left.checked_sub(response.body_bytes) else {
            let limit = self.config.max_answer_bytes;
            return Err(format!(
                "the replicas' responses exceed {limit} bytes together; raise max_answer_bytes in the filter's \
                 configuration, or send fewer alerts per webhook"
            ));
        };
        let limit = u32::try_from(response.body_bytes).unwrap_or(u32::MAX);
        let body = if limit == 0 { Vec::new() } else { host.sub_response_body(limit).map_err(failed)? };
        self.response_bytes_left = left;
        Ok(outcomes(head, &body, |text| host.log(Level::Debug, text)))
    }

    /// Records a partition's outcomes, each at its position in the body.
    fn record(&mut self, host: &impl Host, target: &OutcomeTarget, outcomes: Vec<SignalOutcome>) {
        // The numbers differ if the partition failed as a whole, or if the sidecar rejects what the filter cannot know: an
        // alert's date, or by another version. Then all outcomes that name no alert are placed at the partition's own
        // incident.
        if let (Some(place), Ok(now)) = (&self.place, host.now_ms()) {
            place.ended(ended(&outcomes), now);
        }
        let matches = outcomes.len() == target.outcome_positions.len();
        let placed = outcomes.into_iter().enumerate().map(|(index, mut outcome)| {
            let of_alert = outcome.alert.and_then(|alert| target.entries.get(alert));
            let of_outcome = target.outcome_positions.get(index).filter(|_| matches);
            let position = of_alert.or(of_outcome).copied().unwrap_or(target.position);
            if outcome.fingerprint.is_none() && outcome.alert.is_none() {
                outcome.fingerprint = Some(target.fingerprint.to_string());
            }
            (position, outcome.moved_to(position))
        });
        self.outcomes.extend(placed);
    }
}

/// How a partition with these outcomes ended.
fn ended(outcomes: &[SignalOutcome]) -> Ended {
    let any = |statuses: &[Status]| outcomes.iter().any(|outcome| statuses.contains(&outcome.status));
    if any(&[Status::Failed]) {
        Ended::Failed
    } else if any(&[Status::Created, Status::Duplicate]) {
        Ended::Counted
    } else {
        Ended::Uncounted
    }
}

#[cfg(test)]
mod tests;
