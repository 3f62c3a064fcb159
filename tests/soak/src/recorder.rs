//! Records the history of a soak.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::history::{Attempt, ControllerWrite, Event, FinalRr, History, InjectedFault, Micros};

/// The clock and the history of a soak.
pub(super) struct Recorder {
    began: Instant,
    history: Mutex<History>,
}

impl Recorder {
    pub(super) fn new(command: String) -> Self {
        Self { began: Instant::now(), history: Mutex::new(History { command, ..History::default() }) }
    }

    /// The time since the start, as in the history.
    pub(super) fn now(&self) -> Micros {
        Micros::try_from(self.began.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    pub(super) fn attempt(&self, attempt: Attempt) {
        self.history().attempts.push(attempt);
    }

    pub(super) fn event(&self, event: Event) {
        self.history().events.push(event);
    }

    pub(super) fn write(&self, write: ControllerWrite) {
        self.history().writes.push(write);
    }

    pub(super) fn fault(&self, fault: InjectedFault) {
        self.history().faults.push(fault);
    }

    pub(super) fn final_rrs(&self, rrs: Vec<FinalRr>) {
        self.history().final_rrs = rrs;
    }

    /// Attempts, and calls or processes that got a fault, so far.
    pub(super) fn progress(&self) -> (usize, u64) {
        let history = self.history();
        (history.attempts.len(), history.faults.iter().map(|fault| fault.injected).sum())
    }

    /// Faults so far; a fault that was injected into several calls is one.
    pub(super) fn faults(&self) -> u64 {
        self.history().faults.len() as u64
    }

    /// Takes the history and leaves an empty one.
    pub(super) fn take(&self) -> History {
        std::mem::take(&mut *self.history())
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // Each change is one push or assignment, so the history is valid even if a holder of the lock panicked.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
