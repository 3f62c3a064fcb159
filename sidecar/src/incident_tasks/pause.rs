//! How long to pause between two calls of a commit.

use std::time::Duration;

use onceway_claim::ApiResult;

use crate::executor::CallOutcome;

/// The pause after the first call without a definite answer; it doubles up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
/// The longest pause that a server did not ask for.
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// The pause after the second conflict in a row, at most; it doubles up to [`MAX_CONTENTION`].
const FIRST_CONTENTION: Duration = Duration::from_millis(2);
/// The longest pause between two attempts of replicas that get in each other's way.
const MAX_CONTENTION: Duration = Duration::from_millis(100);

/// Counts what goes wrong in a commit. Neither count is ever taken back: between two conflicts lie reads that succeed.
#[derive(Default)]
pub(super) struct Pauses {
    unknown: u32,
    conflicts: u32,
}

impl Pauses {
    /// How long to pause after this outcome; zero if all goes well.
    pub(super) fn after(&mut self, outcome: &CallOutcome) -> Duration {
        match outcome.result {
            ApiResult::Unknown => {
                let pause = doubled(FIRST_BACKOFF, self.unknown, MAX_BACKOFF);
                self.unknown += 1;
                jittered(outcome.retry_after.unwrap_or_default().max(pause))
            }
            ApiResult::Conflict => {
                self.conflicts += 1;
                // The first conflict is one lost race, whose winner is done. More than one is contention.
                match self.conflicts.checked_sub(2) {
                    None => Duration::ZERO,
                    Some(times) => jittered(doubled(FIRST_CONTENTION, times, MAX_CONTENTION)),
                }
            }
            _ => Duration::ZERO,
        }
    }
}

fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(most)
}

/// `pause` and up to half of it more, so that those who met once do not meet for ever.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(1.0..=1.5))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use onceway_claim::ApiResult;

    use super::{MAX_BACKOFF, MAX_CONTENTION, Pauses};
    use crate::executor::{CallFailure, CallOutcome};

    fn unknown() -> CallOutcome {
        CallOutcome::unknown(CallFailure::Connection { reason: "reset".into() })
    }

    #[test]
    fn failures_are_spaced_further_and_further_up_to_a_limit() {
        let mut pauses = Pauses::default();
        for least in [50, 100, 200, 400, 800, 1000, 1000, 1000] {
            let wait = pauses.after(&unknown()).as_millis();
            assert!((least..=least * 3 / 2).contains(&wait), "{wait} for {least}");
        }
        assert!((0..100).all(|_| pauses.after(&unknown()) <= MAX_BACKOFF.mul_f64(1.5)));
    }

    #[test]
    fn a_server_that_asks_for_a_pause_gets_it() {
        let asked = |seconds| {
            let outcome = CallOutcome { retry_after: Some(Duration::from_secs(seconds)), ..unknown() };
            Pauses::default().after(&outcome)
        };
        assert!(asked(7) >= Duration::from_secs(7));
        assert!(asked(0) >= Duration::from_millis(50), "no hot loop, whatever the server says");
    }

    #[test]
    fn one_lost_race_costs_no_time_and_contention_little() {
        let mut pauses = Pauses::default();
        let conflict = CallOutcome::definite(ApiResult::Conflict);
        assert_eq!(pauses.after(&conflict), Duration::ZERO);
        let waits: Vec<Duration> = (0..100).map(|_| pauses.after(&conflict)).collect();
        assert!(waits.iter().all(|wait| !wait.is_zero() && *wait <= MAX_CONTENTION.mul_f64(1.5)), "{waits:?}");
        assert_eq!(pauses.after(&CallOutcome::definite(ApiResult::Missing)), Duration::ZERO);
    }
}
