//! The `Retry-After` of what was refused for lack of time.

/// The longest one, in seconds, without its spread.
pub const MAX_RETRY_AFTER_S: u32 = 30;

/// The seconds after which there may be time again, where the wait is expected to be `wait_ms`: at most twice as long, by `spread`, so that
/// those who are refused together do not come back together.
#[must_use]
pub fn retry_after_s(wait_ms: u64, spread: u64) -> u32 {
    let seconds = u32::try_from(wait_ms.div_ceil(1000)).unwrap_or(u32::MAX).clamp(1, MAX_RETRY_AFTER_S);
    let more = spread % (u64::from(seconds) + 1);
    seconds.saturating_add(u32::try_from(more).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{MAX_RETRY_AFTER_S, retry_after_s};

    #[test]
    fn a_retry_after_is_the_wait_in_whole_seconds_and_as_much_again_at_most() {
        let all = |wait_ms| (0..256).map(move |spread| retry_after_s(wait_ms, spread));
        let range = |wait_ms| (all(wait_ms).min().unwrap(), all(wait_ms).max().unwrap());
        assert_eq!([0, 1000, 1001, 7500].map(range), [(1, 2), (1, 2), (2, 4), (8, 16)]);
        assert_eq!(range(u64::MAX), (MAX_RETRY_AFTER_S, 2 * MAX_RETRY_AFTER_S));
    }
}
