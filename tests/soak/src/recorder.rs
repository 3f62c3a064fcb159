//! Writes the history down while it happens.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::history::{Attempt, Change, Event, Fault, History, Left, Micros};

/// The one clock and the one history of a soak.
pub(super) struct Recorder {
    began: Instant,
    history: Mutex<History>,
}

impl Recorder {
    pub(super) fn new(command: String) -> Self {
        Self { began: Instant::now(), history: Mutex::new(History { command, ..History::default() }) }
    }

    /// Now, as the history tells time.
    pub(super) fn now(&self) -> Micros {
        Micros::try_from(self.began.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    pub(super) fn attempt(&self, attempt: Attempt) {
        self.history().attempts.push(attempt);
    }

    pub(super) fn event(&self, event: Event) {
        self.history().events.push(event);
    }

    pub(super) fn change(&self, change: Change) {
        self.history().changes.push(change);
    }

    pub(super) fn fault(&self, fault: Fault) {
        self.history().faults.push(fault);
    }

    pub(super) fn left(&self, left: Vec<Left>) {
        self.history().left = left;
    }

    /// How many attempts and faults there were so far.
    pub(super) fn progress(&self) -> (usize, u64) {
        let history = self.history();
        (history.attempts.len(), history.faults.iter().map(|fault| fault.hits).sum())
    }

    /// How many faults there were so far; one that hit several calls is one.
    pub(super) fn faults(&self) -> u64 {
        self.history().faults.len() as u64
    }

    /// All of it.
    pub(super) fn take(&self) -> History {
        std::mem::take(&mut *self.history())
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // A list that somebody panicked beside is still a list.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
