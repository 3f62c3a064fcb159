//! How much the API server is strained, and how far apart the writes of an incident should be for that.
//!
//! While a count is in flight, the signals that come wait for the next one; the one in flight can take no more with it. If
//! an incident is written again as soon as it has been, a strained API server gets as many writes as there are incidents,
//! all at once, each with few signals in it. Apart by nearly twice the time that they take, some half of them are in flight:
//! they take less time, and count more signals. An incident that is alone is written again as soon as it has been: there is
//! one write in flight, and to wait would spare nothing but make its signals wait.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// For how long a count is remembered, more or less: long enough that one of many which is slow by chance holds up no storm,
/// and short enough that a write_latency which is over is soon forgotten, however few counts there are.
const MEMORY: Duration = Duration::from_millis(250);

/// How long counts take of late, over all incidents of a replica.
pub(super) struct WriteLatency(Mutex<Typical>);

struct Typical {
    seconds: f64,
    /// When a count was noted last.
    noted: Instant,
}

impl WriteLatency {
    /// None so far.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Typical { seconds: 0.0, noted: Instant::now() }))
    }

    /// Notes that a count was just answered after `took`.
    pub(super) fn note(&self, took: Duration) {
        let mut typical = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A moving average that the last count weighs more in the longer ago those before it were.
        let weight = 1.0 - (-typical.noted.elapsed().div_duration_f64(MEMORY)).exp();
        typical.seconds += weight * (took.as_secs_f64() - typical.seconds);
        typical.noted = Instant::now();
    }

    /// How far apart the writes of one of so many incidents should be: by `interval`, as long as counts take no longer than
    /// that. Else by the time that they take, and for each of the others a part of what that is too long, so that there is no
    /// leap from one to the other. Never by more than `most`.
    pub(super) fn write_interval(&self, interval: Duration, most: Duration, incidents: usize) -> Duration {
        let seconds = self.0.lock().unwrap_or_else(PoisonError::into_inner).seconds;
        let typical = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let others = 1.0 - 1.0 / incidents.max(1) as f64;
        let excess = typical.saturating_sub(interval).min(most).mul_f64(others);
        typical.saturating_add(excess).min(most).max(interval)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::WriteLatency;

    const MS: Duration = Duration::from_millis(1);

    /// Counts of very many incidents that take so many milliseconds each, and are answered so many apart.
    async fn counts(write_latency: &WriteLatency, apart: u32, all: impl IntoIterator<Item = u32>) -> Duration {
        for took in all {
            sleep(MS * apart).await;
            write_latency.note(MS * took);
        }
        write_latency.write_interval(20 * MS, 500 * MS, usize::MAX)
    }

    #[tokio::test(start_paused = true)]
    async fn counts_that_are_fast_leave_the_interval_as_it_is() {
        let write_latency = WriteLatency::new();
        assert_eq!(write_latency.write_interval(20 * MS, 500 * MS, usize::MAX), 20 * MS);
        assert_eq!(counts(&write_latency, 20, [20; 100]).await, 20 * MS);
    }

    #[tokio::test(start_paused = true)]
    async fn one_slow_count_holds_nothing_up() {
        assert_eq!(counts(&WriteLatency::new(), 20, [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 150]).await, 20 * MS);
    }

    #[tokio::test(start_paused = true)]
    async fn writes_of_many_are_apart_by_twice_the_time_that_they_take_less_the_interval() {
        let stretched = counts(&WriteLatency::new(), 3, [145; 500]).await;
        assert!((255 * MS..=270 * MS).contains(&stretched), "{stretched:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_incident_that_is_alone_is_written_again_as_soon_as_it_has_been() {
        let write_latency = WriteLatency::new();
        counts(&write_latency, 3, [145; 500]).await;
        let apart = [1, 2, 5].map(|incidents| write_latency.write_interval(20 * MS, 500 * MS, incidents).as_millis());
        assert!((143..=145).contains(&apart[0]), "{apart:?}");
        assert!((203..=208).contains(&apart[1]), "{apart:?}");
        assert!((240..=245).contains(&apart[2]), "{apart:?}");
        assert_eq!(
            write_latency.write_interval(20 * MS, 500 * MS, 0),
            write_latency.write_interval(20 * MS, 500 * MS, 1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_strain_that_is_over_is_forgotten_within_a_second_by_many_counts_and_by_few() {
        for apart in [10, 250] {
            let write_latency = WriteLatency::new();
            counts(&write_latency, 3, [145; 500]).await;
            let after = counts(&write_latency, apart, (0..1000 / apart).map(|_| 5)).await;
            assert_eq!(after, 20 * MS, "{apart} ms apart");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_time_is_too_long() {
        let write_latency = WriteLatency::new();
        sleep(MS).await;
        write_latency.note(Duration::MAX);
        assert_eq!(write_latency.write_interval(20 * MS, 500 * MS, usize::MAX), 500 * MS);
    }
}
