//! Measured latency of counts, and the write interval that follows from it.
//!
//! While a count is in flight, new signals wait for the next one. If every incident were written again at once, a slow API
//! server would get as many writes in flight as there are incidents, each with few signals. With an interval of nearly
//! twice the latency, about half of the incidents have a write in flight: writes get faster, and each counts more signals.
//! A lone incident keeps an interval of one latency: only one write is in flight, and waiting would only delay its signals.

use std::time::Duration;

use crate::moving_average::MovingAverage;

/// Moving average of the latency of counts, over all incidents of a replica.
pub(super) struct WriteLatency(MovingAverage);

impl WriteLatency {
    /// Zero.
    pub(super) fn new() -> Self {
        Self(MovingAverage::new())
    }

    /// Records the latency of a count that has just completed.
    pub(super) fn record(&self, latency: Duration) {
        self.0.record(latency);
    }

    /// Minimum interval between status writes of one incident: `interval` while latency <= interval, else
    /// latency + (1 - 1/incidents) * (latency - interval), capped at `most`.
    pub(super) fn write_interval(&self, interval: Duration, most: Duration, incidents: usize) -> Duration {
        let latency = self.0.get();
        let others = 1.0 - 1.0 / incidents.max(1) as f64;
        let excess = latency.saturating_sub(interval).min(most).mul_f64(others);
        latency.saturating_add(excess).min(most).max(interval)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::WriteLatency;

    const MS: Duration = Duration::from_millis(1);

    /// Records these latencies in milliseconds, `apart` ms apart, and returns the interval with very many incidents.
    async fn counts(latency: &WriteLatency, apart: u32, all: impl IntoIterator<Item = u32>) -> Duration {
        for took in all {
            sleep(MS * apart).await;
            latency.record(MS * took);
        }
        latency.write_interval(20 * MS, 500 * MS, usize::MAX)
    }

    #[tokio::test(start_paused = true)]
    async fn fast_counts_leave_the_interval_unchanged() {
        let latency = WriteLatency::new();
        assert_eq!(latency.write_interval(20 * MS, 500 * MS, usize::MAX), 20 * MS);
        assert_eq!(counts(&latency, 20, [20; 100]).await, 20 * MS);
    }

    #[tokio::test(start_paused = true)]
    async fn one_slow_count_does_not_lengthen_the_interval() {
        assert_eq!(counts(&WriteLatency::new(), 20, [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 150]).await, 20 * MS);
    }

    #[tokio::test(start_paused = true)]
    async fn with_many_incidents_the_interval_is_twice_the_latency_less_the_count_interval() {
        let stretched = counts(&WriteLatency::new(), 3, [145; 500]).await;
        assert!((255 * MS..=270 * MS).contains(&stretched), "{stretched:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_interval_of_a_lone_incident_is_the_latency() {
        let latency = WriteLatency::new();
        counts(&latency, 3, [145; 500]).await;
        let apart = [1, 2, 5].map(|incidents| latency.write_interval(20 * MS, 500 * MS, incidents).as_millis());
        assert!((143..=145).contains(&apart[0]), "{apart:?}");
        assert!((203..=208).contains(&apart[1]), "{apart:?}");
        assert!((240..=245).contains(&apart[2]), "{apart:?}");
        assert_eq!(latency.write_interval(20 * MS, 500 * MS, 0), latency.write_interval(20 * MS, 500 * MS, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_interval_recovers_within_a_second_with_many_counts_and_with_few() {
        for apart in [10, 250] {
            let latency = WriteLatency::new();
            counts(&latency, 3, [145; 500]).await;
            let after = counts(&latency, apart, (0..1000 / apart).map(|_| 5)).await;
            assert_eq!(after, 20 * MS, "{apart} ms apart");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_latency_does_not_overflow() {
        let latency = WriteLatency::new();
        sleep(MS).await;
        latency.record(Duration::MAX);
        assert_eq!(latency.write_interval(20 * MS, 500 * MS, usize::MAX), 500 * MS);
    }
}
