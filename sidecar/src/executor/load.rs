//! How long calls to the API server take now, and wait before that: what an incident that begins now has to expect.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::moving_average::MovingAverage;

/// A measurement that is older says nothing: an API server that was away may be back.
const MAX_AGE: Duration = Duration::from_secs(2);

/// The load of one replica's calls.
pub(super) struct Load {
    /// `limits.maxApiCallsInFlight`.
    slots: usize,
    /// Calls that wait for a slot.
    waiting: AtomicUsize,
    latency: MovingAverage,
}

/// A call that waits for a slot, until this is dropped.
pub(super) struct Waiting<'a>(&'a Load);

impl Load {
    pub(super) fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), waiting: AtomicUsize::new(0), latency: MovingAverage::new() }
    }

    /// A call begins to wait for a slot.
    pub(super) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// A call has taken this long in its slot.
    pub(super) fn record(&self, took: Duration) {
        self.latency.record(took);
    }

    /// How long so many calls, one after the other, are expected to take: each waits for those before it, `slots` at a time. Zero
    /// if nothing was measured of late.
    pub(super) fn time_of(&self, calls: u32) -> Duration {
        if self.latency.age() > MAX_AGE {
            return Duration::ZERO;
        }
        let turns = 1.0 + self.waiting.load(Ordering::Relaxed) as f64 / self.slots as f64;
        let seconds = self.latency.get().as_secs_f64() * turns * f64::from(calls);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{Load, MAX_AGE};

    const MS: Duration = Duration::from_millis(1);

    async fn measured(latency: Duration) -> Load {
        let load = Load::new(10);
        for _ in 0..100 {
            advance(MS * 10).await;
            load.record(latency);
        }
        load
    }

    #[tokio::test(start_paused = true)]
    async fn calls_take_their_latency_and_wait_for_those_before_them() {
        let load = measured(MS * 20).await;
        let ms = |calls| load.time_of(calls).as_secs_f64() * 1e3;
        assert!((55.0..=60.0).contains(&ms(3)), "{}", ms(3));
        let waiting: Vec<_> = (0..40).map(|_| load.wait()).collect();
        assert!((280.0..=300.0).contains(&ms(3)), "{}", ms(3));
        drop(waiting);
        assert!((18.0..=20.0).contains(&ms(1)), "{}", ms(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_measured_in_an_outage_is_forgotten_so_that_the_next_call_finds_out() {
        let load = measured(Duration::from_secs(5)).await;
        assert!(load.time_of(3) > Duration::from_secs(14));
        advance(MAX_AGE + MS).await;
        assert_eq!(load.time_of(3), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_measurement_nothing_is_predicted() {
        assert_eq!(Load::new(0).time_of(100), Duration::ZERO);
    }
}
