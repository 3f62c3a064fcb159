//! Overload: what does not fit is turned away at once with 503, for a queue would only make it late.
//!
//! Three things are bounded here: the requests in hand, the bytes of their bodies, and their alerts. What is admitted is
//! held by a permit, and comes free when that is dropped.

use std::sync::Arc;

use bytes::Bytes;
use onceway_signal::problem::{Problem, ProblemKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::metrics::Metrics;

/// When to send again what was turned away, in seconds.
pub const RETRY_AFTER_S: u32 = 1;

/// What is in hand, against its limits.
#[derive(Debug)]
pub struct Admission {
    metrics: Arc<Metrics>,
    requests: Arc<Semaphore>,
    signals: Arc<Semaphore>,
    most_signals: u32,
    bytes: Arc<Semaphore>,
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// The limit's key in the configuration.
    pub limit: &'static str,
}

impl Admission {
    /// Admits as much as `limits` say, and counts in `metrics` what is turned away.
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let bounded = |limit: usize| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self {
            metrics,
            requests: bounded(limits.max_requests_in_flight),
            signals: bounded(limits.max_signals_in_flight),
            most_signals: u32::try_from(limits.max_signals_in_flight).unwrap_or(u32::MAX),
            bytes: bounded(limits.max_body_bytes_in_flight),
        }
    }

    /// Admits a request.
    ///
    /// # Errors
    /// [`Full`] if too many requests are in hand.
    pub fn request(&self) -> Result<OwnedSemaphorePermit, Full> {
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| self.full("limits.maxRequestsInFlight"))
    }

    /// Admits so many alerts, whatever is to be done for each: all of them cost memory until they are answered. More than
    /// the limit count as just the limit: such a request is served when nothing else is in hand, for to refuse it would
    /// be to refuse it for ever.
    ///
    /// # Errors
    /// [`Full`] if too many signals are in hand.
    pub fn signals(&self, signals: usize) -> Result<OwnedSemaphorePermit, Full> {
        let wanted = u32::try_from(signals).unwrap_or(u32::MAX).min(self.most_signals);
        let permit = Arc::clone(&self.signals).try_acquire_many_owned(wanted);
        permit.map_err(|_| self.full("limits.maxSignalsInFlight"))
    }

    /// Admits a body's first bytes or its next ones, into the permit that `held` is.
    ///
    /// # Errors
    /// [`Full`] if the bodies in hand take too much.
    pub fn bytes(&self, held: &mut Option<OwnedSemaphorePermit>, more: usize) -> Result<(), Full> {
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.bytes).try_acquire_many_owned(more);
        let permit = permit.map_err(|_| self.full("limits.maxBodyBytesInFlight"))?;
        match held {
            Some(held) => held.merge(permit),
            None => *held = Some(permit),
        }
        Ok(())
    }

    fn full(&self, limit: &'static str) -> Full {
        self.metrics.shed(limit);
        Full { limit }
    }
}

/// `bytes` that hold `permit`: what they take is given back when the last slice of them is gone, wherever that is.
pub(super) fn held(bytes: Vec<u8>, permit: Option<OwnedSemaphorePermit>) -> Bytes {
    struct Held(Vec<u8>, #[expect(dead_code, reason = "held, not used")] Option<OwnedSemaphorePermit>);
    impl AsRef<[u8]> for Held {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Held(bytes, permit))
}

impl From<Full> for Problem {
    fn from(full: Full) -> Self {
        let detail = format!("{} is reached; send the signals again after {RETRY_AFTER_S} s", full.limit);
        Self::new(ProblemKind::Overloaded, detail).retry_after(RETRY_AFTER_S)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Admission, Full};
    use crate::config::Limits;
    use crate::metrics::Metrics;

    fn admission(signals: usize, bytes: usize) -> Admission {
        let limits = Limits { max_signals_in_flight: signals, max_body_bytes_in_flight: bytes, ..Limits::default() };
        Admission::new(&limits, Arc::new(Metrics::new()))
    }

    #[test]
    fn signals_beyond_the_limit_are_turned_away_until_others_are_done() {
        let admission = admission(3, 1);
        let first = admission.signals(2).unwrap();
        assert_eq!(admission.signals(2).unwrap_err(), Full { limit: "limits.maxSignalsInFlight" });
        drop(first);
        assert!(admission.signals(2).is_ok());
    }

    #[test]
    fn a_request_with_more_signals_than_the_limit_is_served_alone() {
        let admission = admission(3, 1);
        let alone = admission.signals(1000).unwrap();
        admission.signals(1).unwrap_err();
        drop(alone);
        let other = admission.signals(1).unwrap();
        admission.signals(1000).unwrap_err();
        drop(other);
    }

    #[test]
    fn a_body_takes_bytes_as_it_arrives_and_gives_them_all_back() {
        let admission = admission(1, 10);
        let (mut one, mut two) = (None, None);
        admission.bytes(&mut one, 4).unwrap();
        admission.bytes(&mut one, 4).unwrap();
        assert_eq!(admission.bytes(&mut two, 3).unwrap_err(), Full { limit: "limits.maxBodyBytesInFlight" });
        drop(one);
        admission.bytes(&mut two, 10).unwrap();
    }
}
