//! Times as the claim protocol carries them: Unix milliseconds.

use jiff::Timestamp;

/// `at` in Unix milliseconds; 0 for times before 1970.
pub(crate) fn unix_ms(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

/// The time; `None` if it is beyond what a timestamp can express.
pub(crate) fn timestamp(unix_ms: u64) -> Option<Timestamp> {
    Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()
}
