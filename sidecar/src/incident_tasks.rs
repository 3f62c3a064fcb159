//! One task per fingerprint. In this replica it alone commits that fingerprint's signals, one batch after the other: signals
//! that arrive while a write is in flight are counted together by the next one (group commit).
//!
//! ```text
//! submit ─▶ bounded queue of the incident ─▶ task: batch ─▶ commit (claim protocol) ─▶ a result for each submission
//! ```
//!
//! Tasks share a table and the measured write latency. A task ends when its queue is empty at the time of its next write;
//! the RR that it knows stays in the table for the incident's next task.

mod backoff;
mod batch;
mod last_error;
mod late;
mod shared;
mod sync;
mod table;
mod task;
mod write_latency;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use self::last_error::LastError;
use self::late::{late, time_needed};
pub use self::shared::Settings;
use self::shared::Shared;
use self::sync::spawn;
use self::table::{LimitExceeded, Queued, Waiter};
use self::task::IncidentTask;
use crate::executor::Execute;
use crate::incident::{Commit, Counted, Drain, Submission, SubmitError};
use crate::metrics::Metrics;

/// `Retry-After` of a submission that exceeds a limit: a storm drains within this time, in seconds.
const RETRY_AFTER_S: u32 = 1;
/// How long a submission waits beyond its deadline for the task's error, which names the cause.
const ERROR_GRACE: Duration = Duration::from_millis(100);

/// The incident tasks of one replica.
pub struct IncidentTasks<E> {
    shared: Arc<Shared<E>>,
}

impl<E: Execute> IncidentTasks<E> {
    /// An empty table; tasks start with the first submission of their incident.
    pub fn new(executor: E, settings: Settings, metrics: Arc<Metrics>) -> Self {
        Self { shared: Arc::new(Shared::new(executor, settings, metrics)) }
    }

    /// Adds the waiter to its incident's queue, and starts the incident's task if there is none.
    fn enqueue(&self, waiter: Waiter) -> Result<LastError, SubmitError> {
        let (fingerprint, signals) = (waiter.submission.fingerprint, waiter.submission.signals.get());
        let expected = self.shared.executor.expected();
        let mut table = self.shared.table();
        if self.shared.draining.is_cancelled() {
            return Err(SubmitError::Draining);
        }
        let time = time_needed(table.standing(fingerprint), expected);
        if waiter.submission.deadline.saturating_duration_since(Instant::now()) < time {
            return Err(late(time, fingerprint));
        }
        let queued = table.enqueue(waiter).map_err(overloaded)?;
        self.shared.metrics.queued(signals);
        match queued {
            Queued::Behind(last_error) => Ok(last_error),
            Queued::First { last_error, known } => {
                let task = IncidentTask::new(fingerprint, known, last_error.clone(), Arc::clone(&self.shared));
                spawn(&self.shared.tracker, task.run());
                Ok(last_error)
            }
        }
    }
}

impl<E: Execute> Commit for IncidentTasks<E> {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let deadline = submission.deadline;
        let (sender, result) = oneshot::channel();
        let last_error = self.enqueue(Waiter { submission, result: sender })?;
        // The task reports at the deadline of its batch, which is that of the batch's last submission.
        match timeout_at(deadline + ERROR_GRACE, result).await {
            Ok(Ok(result)) => result,
            // Only a panic ends a task that still has waiters.
            Ok(Err(_)) => Err(SubmitError::Unresolved { cause: "the incident's task panicked; see the log".into() }),
            Err(_) => Err(SubmitError::deadline(self.shared.settings.deadline, last_error.text())),
        }
    }
}

impl<E: Execute> Drain for IncidentTasks<E> {
    async fn drain(&self) {
        {
            // Under the lock: every submission is either in a queue by now, and gets a result, or is rejected.
            let _table = self.shared.table();
            self.shared.draining.cancel();
        }
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }
}

fn overloaded(LimitExceeded(limit): LimitExceeded) -> SubmitError {
    SubmitError::Overloaded { limit, retry_after_s: RETRY_AFTER_S }
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
