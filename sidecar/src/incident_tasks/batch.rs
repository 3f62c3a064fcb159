//! The signals that one write counts, and the result for each submission among them.

use std::num::NonZeroU32;

use onceway_claim::Rr;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::late::{Outlook, late};
use super::table::Waiter;
use crate::executor::Context;
use crate::incident::{Counted, LogContext, Submission, SubmitError, WhenCounted};
use crate::metrics::Metrics;
use crate::rr::timestamp;
use crate::traces::{MAX_LINKS, SpanKind, Trace};

type ResultSender = oneshot::Sender<Result<Counted, SubmitError>>;

/// The submissions of one commit. Never empty, and fixed once built: a signal that joined a write with an unknown outcome
/// could not be resolved.
pub(super) struct Batch {
    /// The number of signals.
    pub(super) signals: NonZeroU32,
    /// The latest deadline of its submissions; beyond it no sender waits.
    pub(super) deadline: Instant,
    /// The source of the first submission's signals.
    pub(super) source: &'static str,
    /// The inputs of its calls. Only the first submission's spec is kept, because each spec keeps its request's body in
    /// memory.
    pub(super) context: Context,
    /// What log lines say of the first submission.
    pub(super) log: LogContext,
    /// The spans of all its requests that are recorded, up to [`MAX_LINKS`].
    pub(super) requests: Vec<Trace>,
    /// The first submission's first.
    results: Vec<ResultOf>,
}

/// Whom to tell what became of a submission.
struct ResultOf {
    sender: ResultSender,
    when_counted: Option<WhenCounted>,
}

impl Batch {
    /// Builds a batch of all waiters. Submissions whose sender already has a 503 are dropped: the sender retries, and they
    /// would be counted twice. So are those whose time ends before the batch does: they would be counted and not acknowledged.
    /// `None` if no submission is left.
    pub(super) fn gather(waiters: Vec<Waiter>, outlook: Outlook, metrics: &Metrics) -> Option<Self> {
        waiters.into_iter().fold(None, |batch, waiter| Self::add(batch, waiter, outlook, metrics))
    }

    fn add(batch: Option<Self>, waiter: Waiter, outlook: Outlook, metrics: &Metrics) -> Option<Self> {
        let Waiter { mut submission, result } = waiter;
        metrics.dequeued(submission.signals.get());
        if result.is_closed() {
            return batch;
        }
        if submission.deadline.saturating_duration_since(Instant::now()) <= outlook.least {
            // The sender may have left.
            let _ = result.send(Err(late(outlook.expected, submission.fingerprint)));
            return batch;
        }
        let Some(mut batch) = batch else { return Some(Self::of(submission, result)) };
        batch.signals = batch.signals.saturating_add(submission.signals.get());
        batch.deadline = batch.deadline.max(submission.deadline);
        batch.context.first_received = batch.context.first_received.min(submission.received);
        batch.context.last_received = batch.context.last_received.max(submission.received);
        batch.context.by_name.merge(&submission.by_name);
        batch.results.push(ResultOf { sender: result, when_counted: submission.when_counted.take() });
        batch.link(&submission.log.trace);
        Some(batch)
    }

    fn of(submission: Submission, sender: ResultSender) -> Self {
        let Submission {
            fingerprint,
            source,
            signals,
            by_name,
            received,
            deadline,
            spec,
            target,
            log,
            provenance,
            when_counted,
            ..
        } = submission;
        let (first_received, last_received, spec) = (received, received, Some(spec));
        let trace = Trace::default();
        let context = Context { fingerprint, first_received, last_received, by_name, spec, target, provenance, trace };
        let first = log.trace.clone();
        let results = vec![ResultOf { sender, when_counted }];
        let mut batch =
            Self { signals, deadline, source: source.as_str(), context, log, requests: Vec::new(), results };
        batch.link(&first);
        batch
    }

    fn link(&mut self, request: &Trace) {
        if request.is_recorded() && self.requests.len() < MAX_LINKS as usize {
            self.requests.push(request.clone());
        }
    }

    /// Begins the batch's span: within that of its first request that has one, with links to all of them.
    pub(super) fn begin_span(&mut self) {
        let Some(first) = self.requests.first() else { return };
        let trace = first.child_of_all("commit a batch", SpanKind::Internal, &self.requests);
        trace.set("onceway.fingerprint", || self.context.fingerprint.to_string());
        trace.set("onceway.target", || self.log.target.to_string());
        trace.set("onceway.signals", || i64::from(self.signals.get()));
        self.context.trace = trace;
        // A request's span ends with its request.
        self.requests = Vec::new();
    }

    /// Reports to every submission that it is counted in `rr`, and to the first one whether it created the RR.
    pub(super) fn counted(self, rr: &Rr, mut created: bool, namespace: &str) {
        let time = |ms: Option<u64>| ms.and_then(timestamp);
        let counted = Counted {
            created: false,
            name: rr.name.to_string(),
            namespace: namespace.to_owned(),
            count: rr.count,
            first_seen: time(rr.first_seen_ms).unwrap_or(self.context.first_received),
            last_seen: time(rr.last_seen_ms).unwrap_or(self.context.last_received),
        };
        for ResultOf { sender, when_counted } in self.results {
            let counted = Counted { created, ..counted.clone() };
            if let Some(tell) = when_counted {
                tell(&counted);
            }
            report(sender, Ok(counted));
            created = false;
        }
    }

    /// Reports the error to every submission.
    pub(super) fn failed(self, error: &SubmitError) {
        for ResultOf { sender, .. } in self.results {
            report(sender, Err(error.clone()));
        }
    }
}

/// Ignores a submission that no longer listens: its sender has a 503, which does not promise that it is not counted.
fn report(sender: ResultSender, result: Result<Counted, SubmitError>) {
    let _ = sender.send(result);
}
