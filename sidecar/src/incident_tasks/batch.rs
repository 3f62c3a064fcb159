//! All signals that one write counts, and the answer to each submission among them.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use onceway_claim::Rr;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Waiter;
use crate::executor::Context;
use crate::incident::{Counted, Submission, SubmitError};
use crate::metrics::Metrics;

/// The submissions of one commit; never empty, and fixed once made: no signal joins a batch that may be in doubt.
pub(super) struct Batch {
    /// How many signals it has.
    pub(super) signals: NonZeroU32,
    /// When its last submission runs out of time: working on beyond that serves nobody.
    pub(super) deadline: Instant,
    /// What the calls of its commit need. The spec is the earliest submission's; the others' are let go, for each
    /// holds its request's body.
    pub(super) context: Context,
    /// Where the answers go, the earliest submission's first.
    answers: Vec<oneshot::Sender<Result<Counted, SubmitError>>>,
}

impl Batch {
    /// Makes one of all that waits. Submissions whose sender has already been told to send again are left out: to count
    /// them would only count them twice. `None` if that leaves nobody.
    pub(super) fn gather(waiters: Vec<Waiter>, metrics: &Metrics) -> Option<Self> {
        waiters.into_iter().fold(None, |batch, waiter| Self::add(batch, waiter, metrics))
    }

    fn add(batch: Option<Self>, waiter: Waiter, metrics: &Metrics) -> Option<Self> {
        let Waiter { submission, answer } = waiter;
        metrics.dequeued(submission.signals.get());
        if answer.is_closed() {
            return batch;
        }
        let Some(mut batch) = batch else { return Some(Self::of(submission, answer)) };
        batch.signals = batch.signals.saturating_add(submission.signals.get());
        batch.deadline = batch.deadline.max(submission.deadline);
        batch.context.first_received = batch.context.first_received.min(submission.received);
        batch.context.last_received = batch.context.last_received.max(submission.received);
        batch.answers.push(answer);
        Some(batch)
    }

    fn of(submission: Submission, answer: oneshot::Sender<Result<Counted, SubmitError>>) -> Self {
        let Submission { fingerprint, signals, received, deadline, spec } = submission;
        let context = Context { fingerprint, first_received: received, last_received: received, spec: Some(spec) };
        Self { signals, deadline, context, answers: vec![answer] }
    }

    /// Tells every submission that it is counted in `rr`. One at most is told that it created the RR.
    pub(super) fn counted(self, rr: &Rr, mut created: bool, namespace: &str) {
        let time = |ms: Option<u64>| ms.and_then(|ms| Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok());
        let counted = Counted {
            created: false,
            name: rr.name.to_string(),
            namespace: namespace.to_owned(),
            count: rr.count,
            first_seen: time(rr.first_seen_ms).unwrap_or(self.context.first_received),
            last_seen: time(rr.last_seen_ms).unwrap_or(self.context.last_received),
        };
        for answer in self.answers {
            tell(answer, Ok(Counted { created, ..counted.clone() }));
            created = false;
        }
    }

    /// Tells every submission why it was not counted.
    pub(super) fn failed(self, error: &SubmitError) {
        for answer in self.answers {
            tell(answer, Err(error.clone()));
        }
    }
}

/// A submission that has stopped listening was told to send again; that it is counted now does no harm.
fn tell(answer: oneshot::Sender<Result<Counted, SubmitError>>, result: Result<Counted, SubmitError>) {
    let _ = answer.send(result);
}

impl SubmitError {
    /// The error of a deadline of this length.
    pub(super) fn deadline(length: Duration, cause: impl Into<String>) -> Self {
        let deadline_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self::Deadline { deadline_ms, cause: cause.into() }
    }
}
