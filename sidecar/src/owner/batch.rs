//! All signals that one write counts, and the answer to each submission among them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use onceway_claim::Rr;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Waiter;
use crate::executor::Context;
use crate::incident::{Counted, SubmitError};
use crate::metrics::Metrics;

/// The submissions of one commit; never empty, and fixed once made: no signal joins a batch that may be in doubt.
pub(super) struct Batch {
    /// The earliest submission: its spec is the one an RR would get.
    first: Waiter,
    rest: Vec<Waiter>,
}

impl Batch {
    /// Takes all that is waiting. Submissions whose sender has already been told to send again are left out: to count
    /// them would only count them twice. `None` if that leaves nobody.
    pub(super) fn gather(first: Waiter, queue: &mut mpsc::Receiver<Waiter>, metrics: &Metrics) -> Option<Self> {
        let mut waiters = vec![first];
        while let Ok(waiter) = queue.try_recv() {
            waiters.push(waiter);
        }
        for waiter in &waiters {
            metrics.dequeued(waiter.submission.signals.get());
        }
        waiters.retain(|waiter| !waiter.answer.is_closed());
        let mut waiters = waiters.into_iter();
        waiters.next().map(|first| Self { first, rest: waiters.collect() })
    }

    /// How many signals it has.
    pub(super) fn signals(&self) -> NonZeroU32 {
        let rest = self.rest.iter().map(|waiter| waiter.submission.signals.get());
        rest.fold(self.first.submission.signals, NonZeroU32::saturating_add)
    }

    /// When its last submission runs out of time: working on beyond that serves nobody.
    pub(super) fn deadline(&self) -> Instant {
        self.all().map(|waiter| waiter.submission.deadline).fold(self.first.submission.deadline, Instant::max)
    }

    /// What the calls of its commit need.
    pub(super) fn context(&self) -> Context {
        let submission = &self.first.submission;
        let received = |waiter: &Waiter| waiter.submission.received;
        Context {
            fingerprint: submission.fingerprint,
            first_received: self.all().map(received).fold(submission.received, Timestamp::min),
            last_received: self.all().map(received).fold(submission.received, Timestamp::max),
            spec: Arc::clone(&submission.spec),
        }
    }

    /// Tells every submission that it is counted in `rr`. One at most is told that it created the RR.
    pub(super) fn counted(self, rr: &Rr, created: bool, namespace: &str) {
        let Context { first_received, last_received, .. } = self.context();
        let first_seen = rr
            .first_seen_ms
            .and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok())
            .unwrap_or(first_received);
        let counted = Counted {
            created,
            name: rr.name.to_string(),
            namespace: namespace.to_owned(),
            count: rr.count,
            first_seen,
            last_seen: last_received,
        };
        for waiter in self.rest {
            answer(waiter, Ok(Counted { created: false, ..counted.clone() }));
        }
        answer(self.first, Ok(counted));
    }

    /// Tells every submission why it was not counted.
    pub(super) fn failed(self, error: &SubmitError) {
        for waiter in self.into_all() {
            answer(waiter, Err(error.clone()));
        }
    }

    fn all(&self) -> impl Iterator<Item = &Waiter> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    fn into_all(self) -> impl Iterator<Item = Waiter> {
        std::iter::once(self.first).chain(self.rest)
    }
}

/// A submission that has stopped listening was told to send again; that it is counted now does no harm.
fn answer(waiter: Waiter, result: Result<Counted, SubmitError>) {
    let _ = waiter.answer.send(result);
}

impl SubmitError {
    /// The error of a deadline of this length.
    pub(super) fn deadline(length: Duration, cause: impl Into<String>) -> Self {
        let deadline_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self::Deadline { deadline_ms, cause: cause.into() }
    }
}
