//! A bounded cache of verdicts. Concurrent questions about one key share one review.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use lru::LruCache;
use tokio::time::Instant;

use super::review::{Undecided, Verdict};

/// How long a denial is kept.
pub(super) const DENIED_TTL: Duration = Duration::from_secs(10);

type Answer<V> = Result<Verdict<V>, Undecided>;
type Flight<V> = BoxFuture<'static, Answer<V>>;

/// Verdicts by key.
pub(super) struct Verdicts<K, V: Clone>(Arc<Mutex<State<K, V>>>);

struct State<K, V: Clone> {
    allowed: LruCache<K, (V, Instant)>,
    /// Apart, so that denied keys, which anybody can invent, evict no allowed ones.
    denied: LruCache<K, Instant>,
    /// Reviews in flight; no more than requests are in flight, since a review ends when nobody waits for it.
    flights: HashMap<K, (u64, WeakShared<Flight<V>>)>,
    next_flight: u64,
}

/// Removes a review from [`State::flights`] when it ends, or is dropped because nobody waits for it.
struct InFlight<K: Hash + Eq, V: Clone> {
    state: Arc<Mutex<State<K, V>>>,
    key: K,
    number: u64,
}

/// An answer; `hit` if it was cached, or came from a review that another request had started.
pub(super) struct Found<V> {
    pub(super) answer: Answer<V>,
    pub(super) hit: bool,
}

/// What a question meets.
enum Known<V: Clone> {
    Verdict(Verdict<V>),
    Flight { flight: Shared<Flight<V>>, joined: bool },
}

impl<K, V> Verdicts<K, V>
where
    K: Clone + Hash + Eq + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty cache that keeps this many allowed and denied keys.
    pub(super) fn new(max_allowed: NonZeroUsize, max_denied: NonZeroUsize) -> Self {
        let state = State {
            allowed: LruCache::new(max_allowed),
            denied: LruCache::new(max_denied),
            flights: HashMap::new(),
            next_flight: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The verdict on `key`: a known one, else that of the review that `ask` begins. An allowed one is kept for the time that
    /// `ask` returns, from now, so that a right is never used for longer than that after it was reviewed. `ask` gets whether
    /// the key was allowed when it was asked about last.
    pub(super) async fn get<F>(&self, key: K, ask: impl FnOnce(bool) -> (Duration, F)) -> Found<V>
    where
        F: Future<Output = Answer<V>> + Send + 'static,
    {
        match self.known(key, ask) {
            Known::Verdict(verdict) => Found { answer: Ok(verdict), hit: true },
            Known::Flight { flight, joined } => Found { answer: flight.await, hit: joined },
        }
    }

    fn known<F>(&self, key: K, ask: impl FnOnce(bool) -> (Duration, F)) -> Known<V>
    where
        F: Future<Output = Answer<V>> + Send + 'static,
    {
        let mut state = lock(&self.0);
        let now = Instant::now();
        if let Some(verdict) = state.cached(&key, now) {
            return Known::Verdict(verdict);
        }
        if let Some(flight) = state.flights.get(&key).and_then(|(_, flight)| flight.upgrade()) {
            return Known::Flight { flight, joined: true };
        }
        let number = state.next_flight;
        state.next_flight = number.wrapping_add(1);
        let in_flight = InFlight { state: Arc::clone(&self.0), key: key.clone(), number };
        let (ttl, review) = ask(state.allowed.contains(&key));
        let flight = async move {
            let answer = review.await;
            if let Ok(verdict) = &answer {
                lock(&in_flight.state).keep(in_flight.key.clone(), verdict.clone(), now, ttl);
            }
            drop(in_flight);
            answer
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            state.flights.insert(key, (number, weak));
        }
        Known::Flight { flight, joined: false }
    }
}

impl<K: Hash + Eq, V: Clone> State<K, V> {
    fn cached(&mut self, key: &K, now: Instant) -> Option<Verdict<V>> {
        match self.allowed.get(key) {
            Some((value, until)) if now < *until => return Some(Verdict::Allowed(value.clone())),
            // An outdated one stays: it says that the key was allowed when it was asked about last.
            _ => {}
        }
        match self.denied.get(key) {
            Some(until) if now < *until => return Some(Verdict::Denied),
            Some(_) => drop(self.denied.pop(key)),
            None => {}
        }
        None
    }

    fn keep(&mut self, key: K, verdict: Verdict<V>, asked: Instant, ttl: Duration) {
        match verdict {
            Verdict::Allowed(value) => {
                self.denied.pop(&key);
                self.allowed.put(key, (value, asked + ttl));
            }
            Verdict::Denied => {
                self.allowed.pop(&key);
                self.denied.put(key, asked + ttl.min(DENIED_TTL));
            }
        }
    }
}

impl<K: Hash + Eq, V: Clone> Drop for InFlight<K, V> {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        // A later review of the same key may have taken the place of one that nobody waited for.
        if state.flights.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            state.flights.remove(&self.key);
        }
    }
}

/// A poisoned lock is usable: no invariant spans two operations.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
