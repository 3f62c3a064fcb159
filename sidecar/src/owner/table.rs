//! The incidents of a replica: those in hand, each with its queue, and what is known of those that are quiet.

use std::collections::HashMap;
use std::mem::take;

use lru::LruCache;
use onceway_claim::Rr;
use onceway_signal::Fingerprint;

use super::Waiter;
use super::task::Trouble;

/// Finds the task of an incident, and what its last task knew.
pub(super) struct Table {
    busy: HashMap<Fingerprint, Busy>,
    /// The RRs of incidents that have no task: hints, for the API server says whether they still hold. They give way to
    /// incidents that come in hand.
    quiet: LruCache<Fingerprint, Rr>,
    max_incidents: usize,
    max_queue: usize,
}

/// An incident with a task.
struct Busy {
    queue: Vec<Waiter>,
    trouble: Trouble,
}

/// What became of a submission.
pub(super) enum Queued {
    /// It waits for the incident's task.
    Behind(Trouble),
    /// It waits for a task that is to be started.
    First {
        /// What the task is to report its trouble to.
        trouble: Trouble,
        /// What the incident's last task knew.
        known: Option<Rr>,
    },
}

impl Table {
    /// A table for so many incidents, busy and quiet ones together, and so many submissions in the queue of each.
    pub(super) fn new(max_incidents: usize, max_queue: usize) -> Self {
        Self { busy: HashMap::new(), quiet: LruCache::unbounded(), max_incidents, max_queue }
    }

    /// Queues a submission.
    ///
    /// # Errors
    /// The name of the limit that is reached.
    pub(super) fn enqueue(&mut self, waiter: Waiter) -> Result<Queued, &'static str> {
        let fingerprint = waiter.submission.fingerprint;
        if let Some(busy) = self.busy.get_mut(&fingerprint) {
            if busy.queue.len() >= self.max_queue {
                return Err("limits.maxQueuePerIncident");
            }
            busy.queue.push(waiter);
            return Ok(Queued::Behind(busy.trouble.clone()));
        }
        let known = self.quiet.pop(&fingerprint);
        if self.busy.len() + self.quiet.len() >= self.max_incidents && self.quiet.pop_lru().is_none() {
            return Err("limits.maxIncidents");
        }
        let trouble = Trouble::default();
        self.busy.insert(fingerprint, Busy { queue: vec![waiter], trouble: trouble.clone() });
        Ok(Queued::First { trouble, known })
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
            self.quiet.put(fingerprint, known);
        }
        None
    }

    /// Takes out a task that a bug has ended, so that the next signal of its incident gets a new one. Returns what waited
    /// for it.
    pub(super) fn forget(&mut self, fingerprint: Fingerprint) -> Vec<Waiter> {
        self.busy.remove(&fingerprint).map(|busy| busy.queue).unwrap_or_default()
    }
}
