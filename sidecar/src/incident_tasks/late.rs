//! What a submission has to expect, and the error of one that cannot be counted in time.

use std::time::Duration;

use onceway_signal::Fingerprint;

use crate::incident::SubmitError;

/// Calls, one after the other, until a signal of an incident is counted whose RR is known: the count in flight and the next.
pub(super) const KNOWN_CALLS: u32 = 2;
/// The same of an incident that is new to this replica: its claim, its RR, and the count.
pub(super) const NEW_CALLS: u32 = 3;
/// The longest `Retry-After`, in seconds, without what spreads them.
const MAX_RETRY_AFTER_S: u32 = 30;

/// What cannot be counted before its deadline is not begun: it would take the time of what can, and be sent again. Spread, so that
/// those who are refused together do not come back together.
pub(super) fn late(expected: Duration, fingerprint: Fingerprint) -> SubmitError {
    let seconds = u32::try_from(expected.as_secs()).unwrap_or(u32::MAX).clamp(1, MAX_RETRY_AFTER_S);
    let [spread, ..] = *fingerprint.as_bytes();
    SubmitError::Overloaded { limit: "limits.deadline", retry_after_s: seconds + u32::from(spread) % (seconds + 1) }
}
