//! How many calls to the API server are in flight, how long they take now, and how long they wait before that: what an incident
//! that begins now has to expect.
//!
//! Calls wait here, in order and counted, rather than in the API server, where nobody knows how many there are and each that times
//! out has to be resolved. While calls take long, fewer are sent at once:
//!
//! ```text
//! every WINDOW   latency > TARGET      limit = limit / 2, at least MIN_SLOTS
//!                latency < TARGET / 2  limit = limit * 2, at most limits.maxApiCallsInFlight
//!                calls wait            rate  = calls that ended in it, averaged with those of the last one
//! ```
//!
//! The rate is what the API server gives this replica, however many calls are in flight: while the limit changes, latency over limit would
//! say half or twice as much.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::moving_average::MovingAverage;

/// A measurement that is older says nothing once no call waits: an API server that was away may be back.
const MAX_AGE: Duration = Duration::from_secs(2);
/// Calls that take longer wait for each other, and more at once would only wait longer.
const TARGET: Duration = Duration::from_millis(400);
/// The fewest calls in flight that the limit is lowered to.
const MIN_SLOTS: usize = 16;
/// How often the limit changes: the average has followed the last change by then.
const WINDOW: Duration = Duration::from_millis(500);

/// How long a call that begins now is expected to take.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// The call itself.
    pub call: Duration,
    /// Its wait for the calls of others.
    pub wait: Duration,
}

/// The load of one replica's calls.
pub(super) struct Load {
    /// `limits.maxApiCallsInFlight`.
    max_slots: usize,
    slots: Semaphore,
    limit: Mutex<Limit>,
    /// Calls that wait for a slot.
    waiting: AtomicUsize,
    latency: MovingAverage,
}

/// How many calls may be in flight.
struct Limit {
    slots: usize,
    /// Slots that exist: more than `slots` until calls in flight have given up the excess.
    existing: usize,
    /// When this window began.
    changed: Instant,
    /// Calls that have ended in this window.
    ended: u32,
    /// Calls per second while calls wait, if they did through the last window.
    rate: Option<f64>,
    /// Whether calls waited when this window began.
    waited: bool,
}

/// A call's slot, until this is dropped.
pub(super) struct Slot<'a> {
    load: &'a Load,
    permit: Option<SemaphorePermit<'a>>,
}

/// A call that waits for a slot, until this is dropped.
struct Waiting<'a>(&'a Load);

/// A call in its slot, until this is dropped: at its end, or when its batch has no time left.
pub(super) struct Timed<'a> {
    load: &'a Load,
    began: Instant,
}

impl Load {
    pub(super) fn new(max_slots: usize) -> Self {
        let max_slots = max_slots.max(1);
        Self {
            max_slots,
            slots: Semaphore::new(max_slots),
            limit: Mutex::new(Limit {
                slots: max_slots,
                existing: max_slots,
                changed: Instant::now(),
                ended: 0,
                rate: None,
                waited: false,
            }),
            waiting: AtomicUsize::new(0),
            latency: MovingAverage::new(),
        }
    }

    /// Waits until a call may be sent.
    pub(super) async fn slot(&self) -> Slot<'_> {
        let _waiting = self.wait();
        // `acquire` fails only on a closed semaphore; this one is never closed.
        Slot { load: self, permit: self.slots.acquire().await.ok() }
    }

    /// Measures a call that begins now. One that is cut off counts with the time that it had: without them only fast calls would.
    pub(super) fn timed(&self) -> Timed<'_> {
        Timed { load: self, began: Instant::now() }
    }

    /// A call has taken this long in its slot.
    fn record(&self, took: Duration) {
        self.latency.record(took);
        let mut limit = self.limit();
        limit.ended += 1;
        if limit.changed.elapsed() < WINDOW {
            return;
        }
        limit.end_window(self.waiting.load(Ordering::Relaxed) > 0);
        let latency = self.latency.get();
        if latency > TARGET {
            limit.slots = (limit.slots / 2).max(MIN_SLOTS.min(self.max_slots));
        } else if latency < TARGET / 2 {
            limit.slots = limit.slots.saturating_mul(2).min(self.max_slots);
        }
        let missing = limit.slots.saturating_sub(limit.existing);
        self.slots.add_permits(missing);
        limit.existing += missing;
    }

    /// What a call has to expect: it waits for those before it. Nothing if nothing was measured within [`MAX_AGE`], unless calls wait: those in
    /// flight hang, and will end together.
    pub(super) fn expected(&self) -> Expected {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting == 0 && self.latency.age() > MAX_AGE {
            return Expected::default();
        }
        let (call, waiting) = (self.latency.get(), waiting as f64);
        let Limit { rate, slots, .. } = *self.limit();
        let wait = rate.map_or_else(|| call.as_secs_f64() * waiting / slots as f64, |rate| waiting / rate);
        Expected { call, wait: Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX) }
    }

    fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }

    /// A poisoned lock is usable: each change leaves it consistent.
    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limit {
    /// Begins the next window; `waits`: calls wait now. Only between two such times the rate is what can be had.
    fn end_window(&mut self, waits: bool) {
        let seen = f64::from(self.ended) / self.changed.elapsed().as_secs_f64();
        self.rate = (waits && self.waited).then(|| self.rate.map_or(seen, |rate| f64::midpoint(rate, seen)));
        self.waited = waits;
        self.ended = 0;
        self.changed = Instant::now();
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut limit = self.load.limit();
        if limit.existing > limit.slots
            && let Some(permit) = self.permit.take()
        {
            permit.forget();
            limit.existing -= 1;
        }
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        self.load.record(self.began.elapsed());
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

    use futures::FutureExt;
    use tokio::time::advance;

    use super::{Expected, Load, MAX_AGE, MIN_SLOTS, Slot, WINDOW};

    const MS: Duration = Duration::from_millis(1);

    async fn record(load: &Load, latency: Duration, time: Duration) {
        for _ in 0..time.as_millis() / 10 {
            advance(MS * 10).await;
            load.record(latency);
        }
    }

    async fn measured(slots: usize, latency: Duration) -> Load {
        let load = Load::new(slots);
        record(&load, latency, MS * 1000).await;
        load
    }

    /// As many slots as can be had.
    fn all(load: &Load) -> Vec<Slot<'_>> {
        std::iter::from_fn(|| load.slot().now_or_never()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_take_their_latency_and_wait_for_those_before_them() {
        let load = measured(10, MS * 20).await;
        let ms = || {
            let Expected { call, wait } = load.expected();
            (call + wait).as_secs_f64() * 1e3
        };
        assert!((18.0..=20.0).contains(&ms()), "{}", ms());
        let waiting: Vec<_> = (0..40).map(|_| load.wait()).collect();
        assert!((90.0..=100.0).contains(&ms()), "{}", ms());
        drop(waiting);
        assert!((18.0..=20.0).contains(&ms()), "{}", ms());
    }

    #[tokio::test(start_paused = true)]
    async fn while_calls_wait_their_rate_says_how_long_whatever_the_limit_is() {
        let load = measured(128, MS * 20).await;
        let waiting: Vec<_> = (0..200).map(|_| load.wait()).collect();
        // A hundred calls a second, ever slower and with ever fewer in flight.
        for latency in [1_000, 500, 300] {
            record(&load, MS * latency, WINDOW * 4).await;
            let wait = load.expected().wait.as_secs_f64();
            assert!((1.9..=2.1).contains(&wait), "{wait}");
        }
        drop(waiting);
        record(&load, MS * 20, WINDOW * 2).await;
        assert!(load.expected().wait.is_zero() && load.limit().rate.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_measured_in_an_outage_is_forgotten_so_that_the_next_call_finds_out() {
        let load = measured(10, Duration::from_secs(5)).await;
        assert!(load.expected().call > Duration::from_secs(4));
        advance(MAX_AGE + MS).await;
        let waiting = load.wait();
        assert!(load.expected().call > Duration::from_secs(4), "calls in flight hang");
        drop(waiting);
        assert_eq!(load.expected().call, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_cut_off_counts_with_the_time_that_it_had() {
        let load = Load::new(10);
        let cut_off = load.timed();
        advance(MS * 700).await;
        drop(cut_off);
        assert!(load.expected().call > MS * 600);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_measurement_nothing_is_predicted() {
        assert_eq!(Load::new(0).expected().call, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn while_calls_take_long_fewer_are_in_flight_and_as_many_as_before_once_they_do_not() {
        let load = measured(128, MS * 20).await;
        let in_flight = all(&load);
        assert_eq!(in_flight.len(), 128);
        record(&load, Duration::from_secs(2), WINDOW * 10).await;
        assert!(load.slot().now_or_never().is_none());
        drop(in_flight);
        assert_eq!(all(&load).len(), MIN_SLOTS, "the excess was given up as calls ended");
        record(&load, MS * 20, WINDOW * 10).await;
        assert_eq!(all(&load).len(), 128);
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_below_the_fewest_calls_stays_as_it_is() {
        let load = measured(3, MS * 20).await;
        record(&load, Duration::from_secs(2), WINDOW * 10).await;
        assert_eq!(all(&load).len(), 3);
    }
}
