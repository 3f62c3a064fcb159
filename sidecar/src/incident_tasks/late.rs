//! What a submission has to expect, and the error of one that cannot be counted in time.

use std::time::Duration;

use onceway_signal::Fingerprint;
use onceway_signal::retry_after::retry_after_s;

use super::table::Standing;
use crate::executor::Expected;
use crate::incident::SubmitError;

/// Calls, one after the other, of the first commit of an incident: its claim, its RR, and the count.
pub(super) const NEW_CALLS: u32 = 3;

/// How long so many calls, one after the other, are expected to take.
pub(super) fn time_of(calls: u32, expected: Expected) -> Duration {
    expected.call.saturating_add(expected.wait).saturating_mul(calls)
}

/// How long a batch that begins now takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// As expected.
    pub(super) expected: Duration,
    /// If its calls wait only half as long as expected. A submission that has less time left is refused, and no other: predictions are wrong
    /// by up to a factor of two, and who is refused after a wait has lost its time.
    pub(super) least: Duration,
}

impl Outlook {
    /// Of a batch of so many calls.
    pub(super) fn of(calls: u32, expected: Expected) -> Self {
        let least = Expected { wait: expected.wait / 2, ..expected };
        Self { expected: time_of(calls, expected), least: time_of(calls, least) }
    }
}

/// The time that a submission must have left.
///
/// One of an incident with a task is counted by the count after the one in flight, which is made in any case: it costs others nothing. What
/// begins a task makes others wait, so there must be time for one more wait than expected: calls may become slower until it ends, and who is
/// refused after a wait has lost more time than one who is refused at once.
pub(super) fn time_needed(standing: Standing, expected: Expected) -> Duration {
    match standing {
        Standing::Active => time_of(2, expected),
        Standing::Idle => time_of(1, expected).saturating_add(expected.wait),
        Standing::New => time_of(NEW_CALLS, expected).saturating_add(expected.wait),
    }
}

/// What cannot be counted before its deadline is not begun: it would take the time of what can, and be sent again.
pub(super) fn late(expected: Duration, fingerprint: Fingerprint) -> SubmitError {
    let [spread, ..] = *fingerprint.as_bytes();
    let expected_ms = u64::try_from(expected.as_millis()).unwrap_or(u64::MAX);
    SubmitError::Overloaded { limit: "limits.deadline", retry_after_s: retry_after_s(expected_ms, spread.into()) }
}
