//! Reads a sub-response as outcomes: the sidecar's if a sidecar sent it, else an outcome derived from the status.

use std::str::from_utf8;

use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Failure, SignalOutcome, read};
use onceway_signal::truncate::truncate_quoted;

use crate::header_map::visit;

/// What is read of a sub-response's headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SubResponseHead {
    status: u16,
    retry_after_s: Option<u32>,
}

impl SubResponseHead {
    /// Reads a serialised header map; `None` if it is malformed or has no status.
    pub(crate) fn parse(map: &[u8]) -> Option<SubResponseHead> {
        let mut head = SubResponseHead::default();
        visit(map, |name, value| {
            let value = from_utf8(value).unwrap_or_default();
            match name {
                b":status" => head.status = value.parse().unwrap_or(0),
                b"retry-after" => head.retry_after_s = value.parse().ok(),
                _ => {}
            }
        })?;
        (head.status != 0).then_some(head)
    }
}

/// The outcomes in a sub-response; never empty. What is for the log only is passed to `log`.
pub(crate) fn outcomes(head: SubResponseHead, body: &[u8], log: impl FnOnce(&str)) -> Vec<SignalOutcome> {
    let SubResponseHead { status, retry_after_s } = head;
    read(status, retry_after_s, body).filter(|outcomes| !outcomes.is_empty()).unwrap_or_else(|| {
        log(&format!("no replica wrote this sub-response: {status}, {}", truncate_quoted(body)));
        vec![not_from_a_sidecar(status)]
    })
}

/// The outcome of a response that no sidecar wrote: Envoy's for a replica that is unreachable or too slow, or that of a
/// server in between. A 4xx is permanent, as it is for a whole body; after anything else the signals may not be counted. Its
/// body may name addresses and certificates of the cluster, so the sender gets only the status.
fn not_from_a_sidecar(status: u16) -> SignalOutcome {
    match status {
        408 | 425 | 429 => unknown(format!("no replica responded; a proxy sent {status}; retry")),
        400..=499 => {
            let message = format!("no replica responded; a proxy sent {status}; fix the cause");
            match status {
                401 => SignalOutcome::denied(None, ProblemKind::Unauthenticated, message),
                403 => SignalOutcome::denied(None, ProblemKind::Forbidden, message),
                _ => SignalOutcome::rejected(message),
            }
        }
        _ => unknown(format!("no usable response of a replica: {status}; retry")),
    }
}

/// A partition that may or may not have been counted.
pub(crate) fn unknown(message: String) -> SignalOutcome {
    SignalOutcome::failed_without_fingerprint(message, Failure::UNKNOWN)
}

/// A partition that was not sent.
pub(crate) fn unsent(problem: ProblemKind, message: String) -> SignalOutcome {
    SignalOutcome::failed_without_fingerprint(message, Failure { problem, ..Failure::UNKNOWN })
}

#[cfg(test)]
mod tests;
