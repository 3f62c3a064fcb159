//! The incidents of a replica: those with a task, each with its queue, and the RRs of idle ones.

use std::collections::HashMap;
use std::mem::take;
use std::time::Duration;

use lru::LruCache;
use onceway_claim::Rr;
use onceway_signal::Fingerprint;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::last_error::LastError;
use crate::incident::{Counted, Submission, SubmitError};

/// A queued submission.
pub(super) struct Waiter {
    pub(super) submission: Submission,
    /// Receives the submission's result.
    pub(super) result: oneshot::Sender<Result<Counted, SubmitError>>,
}

/// Finds the task of an incident, and the RR that its previous task knew.
pub(super) struct Table {
    active: HashMap<Fingerprint, Active>,
    /// The RRs of incidents without a task, each with the time since when it is idle. An RR here is a hint: the
    /// compare-and-swap of the next count decides whether it still holds. Idle incidents are evicted for active ones.
    idle: LruCache<Fingerprint, (Instant, Rr)>,
    bounds: Bounds,
}

/// Limits of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Incidents, active and idle ones together.
    pub(super) incidents: usize,
    /// Submissions in the queue of each.
    pub(super) queue: usize,
    /// How long the RR of an idle incident is kept.
    pub(super) idle: Duration,
}

/// An incident with a task.
struct Active {
    queue: Vec<Waiter>,
    last_error: LastError,
}

/// How a submission was queued.
pub(super) enum Queued {
    /// For the incident's running task.
    Behind(LastError),
    /// For a task that the caller must start.
    First {
        /// Where the task reports its errors.
        last_error: LastError,
        /// The RR that the incident's previous task knew.
        known: Option<Rr>,
    },
}

/// What a table has of an incident.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    /// A task.
    Active,
    /// The RR that its last task knew.
    Idle,
    /// Nothing.
    New,
}

/// A limit is reached; its name in the configuration.
pub(super) struct LimitExceeded(pub(super) &'static str);

impl Table {
    /// An empty table.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { active: HashMap::new(), idle: LruCache::unbounded(), bounds }
    }

    /// The number of incidents with a task.
    pub(super) fn active_incidents(&self) -> usize {
        self.active.len()
    }

    /// What there is of the incident.
    pub(super) fn standing(&self, fingerprint: Fingerprint) -> Standing {
        if self.active.contains_key(&fingerprint) {
            Standing::Active
        } else if self.idle.contains(&fingerprint) {
            Standing::Idle
        } else {
            Standing::New
        }
    }

    /// Queues a submission.
    ///
    /// # Errors
    /// If the queue or the table is full.
    pub(super) fn enqueue(&mut self, waiter: Waiter) -> Result<Queued, LimitExceeded> {
        let fingerprint = waiter.submission.fingerprint;
        if let Some(active) = self.active.get_mut(&fingerprint) {
            if active.queue.len() >= self.bounds.queue {
                return Err(LimitExceeded("limits.maxQueuePerIncident"));
            }
            active.queue.push(waiter);
            return Ok(Queued::Behind(active.last_error.clone()));
        }
        self.expire();
        let known = self.idle.pop(&fingerprint).map(|(_, rr)| rr);
        if self.active.len() + self.idle.len() >= self.bounds.incidents && self.idle.pop_lru().is_none() {
            return Err(LimitExceeded("limits.maxIncidents"));
        }
        let last_error = LastError::default();
        self.active.insert(fingerprint, Active { queue: vec![waiter], last_error: last_error.clone() });
        Ok(Queued::First { last_error, known })
    }

    /// Takes the incident's queue. `None` if it is empty: the incident then becomes idle with the RR that the task has
    /// `known`, and the task must end.
    pub(super) fn next(&mut self, fingerprint: Fingerprint, known: &mut Option<Rr>) -> Option<Vec<Waiter>> {
        let queue = &mut self.active.get_mut(&fingerprint)?.queue;
        if !queue.is_empty() {
            return Some(take(queue));
        }
        self.active.remove(&fingerprint);
        if let Some(known) = known.take() {
            self.idle.put(fingerprint, (Instant::now(), known));
        }
        None
    }

    /// Removes incidents that have been idle for too long. An idle entry is only ever inserted and removed, so the least
    /// recently used one is the one that has been idle longest.
    fn expire(&mut self) {
        while self.idle.peek_lru().is_some_and(|(_, (since, _))| since.elapsed() >= self.bounds.idle) {
            self.idle.pop_lru();
        }
    }

    /// Removes the incident of a task that panicked, so that its next signal starts another. Returns its queue.
    pub(super) fn forget(&mut self, fingerprint: Fingerprint) -> Vec<Waiter> {
        self.active.remove(&fingerprint).map(|active| active.queue).unwrap_or_default()
    }
}
