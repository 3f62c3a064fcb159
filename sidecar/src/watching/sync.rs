//! Whether what is watched is in sync: one line of the log for each change.

use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;
use tracing::{debug, info, warn};

/// The state in the last line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Never in sync yet.
    Starting,
    InSync,
    Lost(Instant),
}

/// See the module documentation.
#[derive(Debug)]
pub(super) struct SyncLog {
    watched: &'static str,
    state: Mutex<State>,
}

impl SyncLog {
    pub(super) fn new(watched: &'static str) -> Self {
        Self { watched, state: Mutex::new(State::Starting) }
    }

    /// Sync is lost, or was not reached, for this reason.
    pub(super) fn lost(&self, cause: &dyn Display) {
        let watched = self.watched;
        match self.replace(|state| if state == State::InSync { State::Lost(Instant::now()) } else { state }) {
            State::InSync => warn!(event = "watch_lost", watched, %cause, "a watch is out of sync"),
            State::Starting => warn!(event = "watch_not_started", watched, %cause, "a watch cannot start; retrying"),
            State::Lost(_) => debug!(watched, %cause, "a watch is still out of sync; retrying"),
        }
    }

    /// In sync, perhaps again.
    pub(super) fn regained(&self) {
        if let State::Lost(since) = self.replace(|_| State::InSync) {
            let seconds = since.elapsed().as_secs_f64();
            info!(event = "watch_recovered", watched = self.watched, seconds, "a watch is in sync again");
        }
    }

    /// Changes the state; returns what it was.
    fn replace(&self, next: impl FnOnce(State) -> State) -> State {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *state;
        *state = next(before);
        before
    }
}
