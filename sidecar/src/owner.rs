//! One owner task per fingerprint. It alone commits that fingerprint's signals in this replica, one batch after the
//! other, so that signals which arrive while a write is in flight are counted together by the next.
//!
//! ```text
//! submit ─▶ bounded queue of the incident ─▶ task: batch ─▶ commit (claim protocol) ─▶ an answer to each submission
//! ```
//!
//! Tasks share nothing but the table that finds them. A task that has been idle for `limits.incidentIdle` ends.

mod batch;
mod pause;
mod task;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onceway_signal::Fingerprint;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;
use tokio_util::task::TaskTracker;

use self::task::{Task, Trouble};
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
pub struct Owners<E> {
    shared: Arc<Shared<E>>,
}

/// What the tasks and their table have in common.
struct Shared<E> {
    executor: E,
    settings: Settings,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
    tracker: TaskTracker,
}

#[derive(Default)]
struct Table {
    queues: HashMap<Fingerprint, Queue>,
    draining: bool,
}

/// The table's end of an incident's task.
struct Queue {
    sender: mpsc::Sender<Waiter>,
    trouble: Trouble,
}

/// A submission that waits for its answer.
struct Waiter {
    submission: Submission,
    answer: oneshot::Sender<Result<Counted, SubmitError>>,
}

impl<E: Execute> Owners<E> {
    /// Owners without any incident in hand.
    pub fn new(executor: E, settings: Settings, metrics: Arc<Metrics>) -> Self {
        let (table, tracker) = (Mutex::default(), TaskTracker::new());
        Self { shared: Arc::new(Shared { executor, settings, metrics, table, tracker }) }
    }
}

impl<E: Execute> Commit for Owners<E> {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let deadline = submission.deadline;
        let (answer, answered) = oneshot::channel();
        let trouble = self.shared.enqueue(Waiter { submission, answer })?;
        // The task stops at the deadline of the whole batch and tells why; a submission of it may have less time.
        match timeout_at(deadline + ANSWER_GRACE, answered).await {
            Ok(Ok(result)) => result,
            // Only a bug ends a task with signals in its hands.
            Ok(Err(_)) => Err(SubmitError::Unresolved { cause: "the incident's task ended; see the log".into() }),
            Err(_) => Err(SubmitError::deadline(self.shared.settings.deadline, trouble.text())),
        }
    }
}

impl<E: Execute> Drain for Owners<E> {
    async fn drain(&self) {
        self.shared.close();
        self.shared.tracker.close();
        self.shared.tracker.wait().await;
    }
}

impl<E: Execute> Shared<E> {
    /// Puts the waiter into the queue of its incident, starting the incident's task if there is none.
    fn enqueue(self: &Arc<Self>, waiter: Waiter) -> Result<Trouble, SubmitError> {
        let fingerprint = waiter.submission.fingerprint;
        let signals = waiter.submission.signals.get();
        let mut table = self.table();
        if table.draining {
            return Err(SubmitError::Draining);
        }
        let in_hand = table.queues.len();
        let queue = match table.queues.entry(fingerprint) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(_) if in_hand >= self.settings.max_incidents => {
                return Err(overloaded("limits.maxIncidents"));
            }
            Entry::Vacant(entry) => entry.insert(self.start(fingerprint)),
        };
        // Before it is queued, so that the task cannot take it out of the gauge first.
        self.metrics.queued(signals);
        queue.sender.try_send(waiter).map_err(|_| {
            self.metrics.dequeued(signals);
            overloaded("limits.maxQueuePerIncident")
        })?;
        Ok(queue.trouble.clone())
    }

    fn start(self: &Arc<Self>, fingerprint: Fingerprint) -> Queue {
        let (sender, receiver) = mpsc::channel(self.settings.max_queue_per_incident);
        let trouble = Trouble::default();
        self.tracker.spawn(Task::new(fingerprint, receiver, trouble.clone(), Arc::clone(self)).run());
        Queue { sender, trouble }
    }
}

impl<E> Shared<E> {
    /// Takes an idle task out of the table, unless a submission has come meanwhile. Submissions are queued under the
    /// same lock, so none can fall between.
    fn retire(&self, fingerprint: Fingerprint, queue: &mpsc::Receiver<Waiter>) -> bool {
        let mut table = self.table();
        let idle = queue.is_empty();
        if idle {
            table.queues.remove(&fingerprint);
        }
        idle
    }

    /// Takes a task out of the table that a bug has ended, so that the next signal of its incident gets a new one.
    fn forget(&self, fingerprint: Fingerprint, queue: &mut mpsc::Receiver<Waiter>) {
        let mut table = self.table();
        table.queues.remove(&fingerprint);
        while let Ok(waiter) = queue.try_recv() {
            self.metrics.dequeued(waiter.submission.signals.get());
        }
        self.metrics.panicked();
    }

    /// Without senders, each task ends once its queue is empty.
    fn close(&self) {
        let mut table = self.table();
        table.draining = true;
        table.queues.clear();
    }

    /// The table stays usable whatever a thread that held it did: no invariant spans two of its operations.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn overloaded(limit: &'static str) -> SubmitError {
    SubmitError::Overloaded { limit, retry_after_s: RETRY_AFTER_S }
}

#[cfg(test)]
mod tests;
