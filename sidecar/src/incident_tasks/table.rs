//! The incidents of a replica: those in hand, each with its queue, and what is known of those that are quiet.

use std::collections::HashMap;
use std::mem::take;
use std::time::Duration;

use lru::LruCache;
use onceway_claim::Rr;
use onceway_signal::Fingerprint;
use tokio::time::Instant;

use super::Waiter;
use super::task::LastError;

/// Finds the task of an incident, and what its last task knew.
pub(super) struct Table {
    busy: HashMap<Fingerprint, Busy>,
    /// The RRs of incidents that have no task, each with the moment since when. They are hints, for the API server says
    /// whether they still hold; they give way to incidents that come in hand, and in time others will have changed them.
    quiet: LruCache<Fingerprint, (Instant, Rr)>,
    bounds: Bounds,
}

/// What a table holds at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Incidents, busy and quiet ones together.
    pub(super) incidents: usize,
    /// Submissions in the queue of each.
    pub(super) queue: usize,
    /// How long what is known of a quiet incident is kept.
    pub(super) idle: Duration,
}

/// An incident with a task.
struct Busy {
    queue: Vec<Waiter>,
    last_error: LastError,
}

/// What became of a submission.
pub(super) enum Queued {
    /// It waits for the incident's task.
    Behind(LastError),
    /// It waits for a task that is to be started.
    First {
        /// What the task is to report its last_error to.
        last_error: LastError,
        /// What the incident's last task knew.
        known: Option<Rr>,
    },
}

impl Table {
    /// An empty table.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { busy: HashMap::new(), quiet: LruCache::unbounded(), bounds }
    }

    /// How many incidents have a task.
    pub(super) fn in_hand(&self) -> usize {
        self.busy.len()
    }

    /// Queues a submission.
    ///
    /// # Errors
    /// The name of the limit that is reached.
    pub(super) fn enqueue(&mut self, waiter: Waiter) -> Result<Queued, &'static str> {
        let fingerprint = waiter.submission.fingerprint;
        if let Some(busy) = self.busy.get_mut(&fingerprint) {
            if busy.queue.len() >= self.bounds.queue {
                return Err("limits.maxQueuePerIncident");
            }
            busy.queue.push(waiter);
            return Ok(Queued::Behind(busy.last_error.clone()));
        }
        self.expire();
        let known = self.quiet.pop(&fingerprint).map(|(_, rr)| rr);
        if self.busy.len() + self.quiet.len() >= self.bounds.incidents && self.quiet.pop_lru().is_none() {
            return Err("limits.maxIncidents");
        }
        let last_error = LastError::default();
        self.busy.insert(fingerprint, Busy { queue: vec![waiter], last_error: last_error.clone() });
        Ok(Queued::First { last_error, known })
    }

    /// All that waits for the incident's task. `None` if nothing does: then the task is no longer in the table, what it
    /// has `known` is, and the task must end.
    pub(super) fn next(&mut self, fingerprint: Fingerprint, known: &mut Option<Rr>) -> Option<Vec<Waiter>> {
        let queue = &mut self.busy.get_mut(&fingerprint)?.queue;
        if !queue.is_empty() {
            return Some(take(queue));
        }
        self.busy.remove(&fingerprint);
        if let Some(known) = known.take() {
            self.quiet.put(fingerprint, (Instant::now(), known));
        }
        None
    }

    /// Forgets what has been quiet for too long. Nobody looks at a quiet incident but to take it out, so the least recently
    /// used one is the one that has been quiet for longest.
    fn expire(&mut self) {
        while self.quiet.peek_lru().is_some_and(|(_, (since, _))| since.elapsed() >= self.bounds.idle) {
            self.quiet.pop_lru();
        }
    }

    /// Takes out a task that a bug has ended, so that the next signal of its incident gets a new one. Returns what waited
    /// for it.
    pub(super) fn forget(&mut self, fingerprint: Fingerprint) -> Vec<Waiter> {
        self.busy.remove(&fingerprint).map(|busy| busy.queue).unwrap_or_default()
    }
}
