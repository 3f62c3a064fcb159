//! What came back for a part, as outcomes of it: the sidecar's own words where it gave any, else the best that can be said.

use std::str::from_utf8;

use onceway_signal::limits::MAX_PROBLEM;
use onceway_signal::problem::ProblemKind;
use onceway_signal::response::{Failure, SignalOutcome, read};

use crate::header_map::visit;

/// The head of the answer to a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReplyHead {
    status: u16,
    retry_after_s: Option<u32>,
}

impl ReplyHead {
    /// Reads a serialised header map; `None` where `map` is none, or has no status.
    pub(crate) fn parse(map: &[u8]) -> Option<ReplyHead> {
        let mut head = ReplyHead::default();
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

/// The outcomes that an answer tells of.
pub(crate) fn outcomes(head: ReplyHead, body: &[u8]) -> Vec<SignalOutcome> {
    let ReplyHead { status, retry_after_s } = head;
    read(status, retry_after_s, body).filter(|told| !told.is_empty()).unwrap_or_else(|| vec![foreign(status, body)])
}

/// The outcome that an answer of somebody else means: of the proxy for a replica that it could not reach or that was too
/// slow, or of a server between. A 4xx is for good, as it would have been for the whole; all else is not known to be counted.
fn foreign(status: u16, body: &[u8]) -> SignalOutcome {
    let said = quote(body);
    match status {
        408 | 425 | 429 => unknown(format!("answered {status} in a replica's place ({said}); send it again")),
        400..=499 => {
            SignalOutcome::rejected(format!("answered {status} in a replica's place: {said}; mend what that names"))
        }
        _ => unknown(format!("no usable answer of a replica: {status}, {said}; send it again")),
    }
}

/// A part of which it is not known whether it was counted.
pub(crate) fn unknown(message: String) -> SignalOutcome {
    SignalOutcome::failed_without_fingerprint(message, Failure::UNKNOWN)
}

/// A part that was not sent.
pub(crate) fn unsent(problem: ProblemKind, message: String) -> SignalOutcome {
    SignalOutcome::failed_without_fingerprint(message, Failure { problem, ..Failure::UNKNOWN })
}

/// The beginning of what somebody said, in quotes.
fn quote(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    match text.char_indices().nth(MAX_PROBLEM) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests;
