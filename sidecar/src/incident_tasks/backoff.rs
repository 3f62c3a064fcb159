//! Pauses between two calls of a commit.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use onceway_claim::ApiResult;

use crate::executor::CallOutcome;

/// After calls without a definite result.
const UNKNOWN: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(50))
    .with_max_delay(Duration::from_secs(1))
    .without_max_times();
/// After the second conflict and each further one: replicas that write the same object.
const CONTENTION: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(2))
    .with_max_delay(Duration::from_millis(100))
    .without_max_times();

/// The backoff of one commit. It never resets: between two conflicts there are reads that succeed.
pub(super) struct Backoff {
    unknown: ExponentialBackoff,
    contention: ExponentialBackoff,
    conflicts: u32,
}

impl Backoff {
    pub(super) fn new() -> Self {
        Self { unknown: UNKNOWN.build(), contention: CONTENTION.build(), conflicts: 0 }
    }

    /// The pause after this outcome; zero if no pause is needed. At least the server's `Retry-After`.
    pub(super) fn after(&mut self, outcome: &CallOutcome) -> Duration {
        match outcome.result {
            ApiResult::Unknown => {
                let delay = self.unknown.next().unwrap_or_default();
                jittered(outcome.retry_after.unwrap_or_default().max(delay))
            }
            ApiResult::Conflict => {
                self.conflicts += 1;
                // The first conflict is one lost race, and the winner is done. More are contention.
                if self.conflicts == 1 { Duration::ZERO } else { jittered(self.contention.next().unwrap_or_default()) }
            }
            _ => Duration::ZERO,
        }
    }
}

/// 1 to 1.5 times `pause`, so that replicas which collided once do not collide again. backon's own jitter is up to twice the
/// delay, and would not apply to a `Retry-After`.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(1.0..=1.5))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use onceway_claim::ApiResult;

    use super::Backoff;
    use crate::executor::{CallFailure, CallOutcome};

    const MAX_UNKNOWN: Duration = Duration::from_secs(1);
    const MAX_CONTENTION: Duration = Duration::from_millis(100);

    fn unknown() -> CallOutcome {
        CallOutcome::unknown(CallFailure::Connection { reason: "reset".into() })
    }

    #[test]
    fn pauses_after_failures_double_up_to_a_limit() {
        let mut backoff = Backoff::new();
        for least in [50, 100, 200, 400, 800, 1000, 1000, 1000] {
            let wait = backoff.after(&unknown()).as_millis();
            assert!((least..=least * 3 / 2).contains(&wait), "{wait} for {least}");
        }
        assert!((0..100).all(|_| backoff.after(&unknown()) <= MAX_UNKNOWN.mul_f64(1.5)));
    }

    #[test]
    fn a_retry_after_is_honoured() {
        let asked = |seconds| {
            let outcome = CallOutcome { retry_after: Some(Duration::from_secs(seconds)), ..unknown() };
            Backoff::new().after(&outcome)
        };
        assert!(asked(7) >= Duration::from_secs(7));
        assert!(asked(0) >= Duration::from_millis(50), "no hot loop, whatever the server asks for");
    }

    #[test]
    fn one_lost_race_costs_no_time_and_contention_little() {
        let mut backoff = Backoff::new();
        let conflict = CallOutcome::definite(ApiResult::Conflict);
        assert_eq!(backoff.after(&conflict), Duration::ZERO);
        let waits: Vec<Duration> = (0..100).map(|_| backoff.after(&conflict)).collect();
        assert!(waits.iter().all(|wait| !wait.is_zero() && *wait <= MAX_CONTENTION.mul_f64(1.5)), "{waits:?}");
        assert_eq!(backoff.after(&CallOutcome::definite(ApiResult::Missing)), Duration::ZERO);
    }
}
