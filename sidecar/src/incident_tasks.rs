//! One owner task per fingerprint. It alone commits that fingerprint's signals in this replica, one batch after the
//! other, so that signals which arrive while a write is in flight are counted together by the next.
//!
//! ```text
//! submit ─▶ bounded queue of the incident ─▶ task: batch ─▶ commit (claim protocol) ─▶ an answer to each submission
//! ```
//!
//! Tasks share nothing but the table that finds them. A task ends when nobody waits and its next write would be due;
//! what it knows of its RR stays in the table, for the next signal's task to begin with.

mod batch;
mod pause;
mod sync;
mod table;
mod task;
mod write_latency;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::sync::{Mutex, MutexGuard, spawn};
use self::table::{Bounds, Queued, Table};
use self::task::{IncidentTask, LastError};
use self::write_latency::WriteLatency;
use crate::executor::Execute;
use crate::incident::{Commit, Counted, Drain, Submission, SubmitError};
use crate::metrics::Metrics;

/// What to say to a sender that meets a full queue or table: a storm drains within this time, in seconds.
const RETRY_AFTER_S: u32 = 1;
/// How long after its deadline a submission still waits for the task to tell why it was not counted.
const ANSWER_GRACE: Duration = Duration::from_millis(100);

/// Limits and paces of the owner tasks; the names are those of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of the RRs, for the answers.
    pub namespace: String,
    /// This process, as the claims it writes name it: `<POD_NAME>_<per-process id>`.
    pub identity: Arc<str>,
    /// `limits.deadline`, for what errors say; each submission brings its own moment.
    pub deadline: Duration,
    /// `limits.maxIncidents`.
    pub max_incidents: usize,
    /// `limits.maxQueuePerIncident`.
    pub max_queue_per_incident: usize,
    /// `limits.incidentIdle`.
    pub incident_idle: Duration,
    /// `batching.countInterval`.
    pub count_interval: Duration,
    /// `batching.maxBytesPerSecond`.
    pub max_bytes_per_second: u32,
    /// `lease.takeoverAfter`.
    pub takeover_after: Duration,
}

/// The owner tasks of one replica.
pub struct IncidentTasks<E> {
    shared: Arc<Shared<E>>,
}

/// What the tasks and their table have in common.
struct Shared<E> {
    executor: E,
    settings: Settings,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
    write_latency: WriteLatency,
    /// Cancelled under the table's lock: whatever is in a queue by then is still answered.
    draining: CancellationToken,
    tracker: TaskTracker,
}

/// A submission that waits for its answer.
struct Waiter {
    submission: Submission,
    answer: oneshot::Sender<Result<Counted, SubmitError>>,
}

impl<E: Execute> IncidentTasks<E> {
    /// IncidentTasks without any incident in hand.
    pub fn new(executor: E, settings: Settings, metrics: Arc<Metrics>) -> Self {
        let Settings { max_incidents: incidents, max_queue_per_incident: queue, incident_idle: idle, .. } = settings;
        let table = Mutex::new(Table::new(Bounds { incidents, queue, idle }));
        let (draining, tracker) = (CancellationToken::new(), TaskTracker::new());
        let write_latency = WriteLatency::new();
        Self { shared: Arc::new(Shared { executor, settings, metrics, table, write_latency, draining, tracker }) }
    }
}

impl<E: Execute> Commit for IncidentTasks<E> {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let deadline = submission.deadline;
        let (answer, answered) = oneshot::channel();
        let last_error = self.shared.enqueue(Waiter { submission, answer })?;
        // The task stops at the deadline of the whole batch and tells why; a submission of it may have less time.
        match timeout_at(deadline + ANSWER_GRACE, answered).await {
            Ok(Ok(result)) => result,
            // Only a bug ends a task with signals in its hands.
            Ok(Err(_)) => Err(SubmitError::Unresolved { cause: "the incident's task ended; see the log".into() }),
            Err(_) => Err(SubmitError::deadline(self.shared.settings.deadline, last_error.text())),
        }
    }
}

impl<E: Execute> Drain for IncidentTasks<E> {
    async fn drain(&self) {
        {
            let _nobody_submits = self.shared.table();
            self.shared.draining.cancel();
        }
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }
}

impl<E: Execute> Shared<E> {
    /// Puts the waiter into the queue of its incident, starting the incident's task if there is none.
    fn enqueue(self: &Arc<Self>, waiter: Waiter) -> Result<LastError, SubmitError> {
        let (fingerprint, signals) = (waiter.submission.fingerprint, waiter.submission.signals.get());
        let mut table = self.table();
        if self.draining.is_cancelled() {
            return Err(SubmitError::Draining);
        }
        let queued = table.enqueue(waiter).map_err(overloaded)?;
        self.metrics.queued(signals);
        match queued {
            Queued::Behind(last_error) => Ok(last_error),
            Queued::First { last_error, known } => {
                let task = IncidentTask::new(fingerprint, known, last_error.clone(), Arc::clone(self));
                spawn(&self.tracker, task.run());
                Ok(last_error)
            }
        }
    }
}

impl<E> Shared<E> {
    /// The table stays usable whatever a thread that held it did: no invariant spans two of its operations.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overloaded(limit: &'static str) -> SubmitError {
    SubmitError::Overloaded { limit, retry_after_s: RETRY_AFTER_S }
}

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod tests;
