//! A moving average of durations, shared by threads.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Time constant of the average. Long enough that one slow call of many makes no difference, short enough that the average recovers
/// within a second after the API server has, even with few calls.
const MEMORY: Duration = Duration::from_millis(250);

/// A moving average.
pub(crate) struct MovingAverage(Mutex<Average>);

struct Average {
    seconds: f64,
    /// When the last duration was recorded.
    recorded: Instant,
}

impl MovingAverage {
    /// Zero.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Average { seconds: 0.0, recorded: Instant::now() }))
    }

    /// Records the duration of something that has just ended.
    pub(crate) fn record(&self, duration: Duration) {
        let mut average = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The weight grows with the time since the one before, so that the average does not depend on their rate.
        let weight = 1.0 - (-average.recorded.elapsed().div_duration_f64(MEMORY)).exp();
        average.seconds += weight * (duration.as_secs_f64() - average.seconds);
        average.recorded = Instant::now();
    }

    /// The average.
    pub(crate) fn get(&self) -> Duration {
        let average = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::try_from_secs_f64(average.seconds).unwrap_or(Duration::MAX)
    }

    /// Since when nothing was recorded.
    pub(crate) fn age(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).recorded.elapsed()
    }
}
