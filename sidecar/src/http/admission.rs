//! Admission: work beyond a limit is rejected at once with 503, because a queue would only make it late.
//!
//! Three things are limited here: requests in flight, the bytes of their bodies, and their alerts. Whatever is admitted
//! holds a permit, and is released when the permit is dropped.

use std::sync::Arc;

use bytes::Bytes;
use onceway_signal::problem::{Problem, ProblemKind};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;
use crate::metrics::Metrics;

/// The `Retry-After` of rejected requests, in seconds.
pub const RETRY_AFTER_S: u32 = 1;

/// What is in flight, against its limits.
#[derive(Debug)]
pub struct Admission {
    metrics: Arc<Metrics>,
    requests: Arc<Semaphore>,
    signals: Arc<Semaphore>,
    max_signals: u32,
    bytes: Arc<Semaphore>,
}

/// A limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitExceeded {
    /// The limit's key in the configuration.
    pub limit: &'static str,
}

impl Admission {
    /// Admits as much as `limits` allow, and counts rejections in `metrics`.
    pub fn new(limits: &Limits, metrics: Arc<Metrics>) -> Self {
        let semaphore = |limit: usize| Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self {
            metrics,
            requests: semaphore(limits.max_requests_in_flight),
            signals: semaphore(limits.max_signals_in_flight),
            max_signals: u32::try_from(limits.max_signals_in_flight).unwrap_or(u32::MAX),
            bytes: semaphore(limits.max_body_bytes_in_flight),
        }
    }

    /// Admits a request.
    ///
    /// # Errors
    /// [`LimitExceeded`] if too many requests are in flight.
    pub fn request(&self) -> Result<OwnedSemaphorePermit, LimitExceeded> {
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| self.exceeded("limits.maxRequestsInFlight"))
    }

    /// Admits the `signals` of one request, resolved and rejected ones included: each takes memory until its response is
    /// written. More than the limit count as the limit, so that such a request is admitted once nothing else is in flight;
    /// rejecting it would reject it permanently.
    ///
    /// # Errors
    /// [`LimitExceeded`] if too many signals are in flight.
    pub fn signals(&self, signals: usize) -> Result<OwnedSemaphorePermit, LimitExceeded> {
        let wanted = u32::try_from(signals).unwrap_or(u32::MAX).min(self.max_signals);
        let permit = Arc::clone(&self.signals).try_acquire_many_owned(wanted);
        permit.map_err(|_| self.exceeded("limits.maxSignalsInFlight"))
    }

    /// Admits `more` bytes of a body and adds them to its `permit`.
    ///
    /// # Errors
    /// [`LimitExceeded`] if the bodies in flight take too much memory.
    pub fn bytes(&self, permit: &mut Option<OwnedSemaphorePermit>, more: usize) -> Result<(), LimitExceeded> {
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let added = Arc::clone(&self.bytes).try_acquire_many_owned(more);
        let added = added.map_err(|_| self.exceeded("limits.maxBodyBytesInFlight"))?;
        match permit {
            Some(permit) => permit.merge(added),
            None => *permit = Some(added),
        }
        Ok(())
    }

    fn exceeded(&self, limit: &'static str) -> LimitExceeded {
        self.metrics.shed(limit);
        LimitExceeded { limit }
    }
}

/// `bytes` that own `permit`: it is released when the last slice of them is dropped.
pub(super) fn bytes_with_permit(bytes: Vec<u8>, permit: Option<OwnedSemaphorePermit>) -> Bytes {
    struct Permitted(Vec<u8>, #[expect(dead_code, reason = "held, not used")] Option<OwnedSemaphorePermit>);
    impl AsRef<[u8]> for Permitted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Permitted(bytes, permit))
}

impl From<LimitExceeded> for Problem {
    fn from(LimitExceeded { limit }: LimitExceeded) -> Self {
        let detail = format!("overloaded: {limit} is reached; send the signals again after {RETRY_AFTER_S} s");
        Self::new(ProblemKind::Overloaded, detail).retry_after(RETRY_AFTER_S)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Admission, LimitExceeded};
    use crate::config::Limits;
    use crate::metrics::Metrics;

    fn admission(signals: usize, bytes: usize) -> Admission {
        let limits = Limits { max_signals_in_flight: signals, max_body_bytes_in_flight: bytes, ..Limits::default() };
        Admission::new(&limits, Arc::new(Metrics::new()))
    }

    #[test]
    fn signals_beyond_the_limit_are_rejected_until_others_are_done() {
        let admission = admission(3, 1);
        let first = admission.signals(2).unwrap();
        assert_eq!(admission.signals(2).unwrap_err(), LimitExceeded { limit: "limits.maxSignalsInFlight" });
        drop(first);
        assert!(admission.signals(2).is_ok());
    }

    #[test]
    fn a_request_with_more_signals_than_the_limit_is_admitted_alone() {
        let admission = admission(3, 1);
        let alone = admission.signals(1000).unwrap();
        admission.signals(1).unwrap_err();
        drop(alone);
        let other = admission.signals(1).unwrap();
        admission.signals(1000).unwrap_err();
        drop(other);
    }

    #[test]
    fn a_body_acquires_bytes_as_it_arrives_and_releases_them_all() {
        let admission = admission(1, 10);
        let (mut one, mut two) = (None, None);
        admission.bytes(&mut one, 4).unwrap();
        admission.bytes(&mut one, 4).unwrap();
        assert_eq!(admission.bytes(&mut two, 3).unwrap_err(), LimitExceeded { limit: "limits.maxBodyBytesInFlight" });
        drop(one);
        admission.bytes(&mut two, 10).unwrap();
    }
}
