//! Checks that run one after another, in their order, whichever threads take them.

use std::sync::{Condvar, Mutex, PoisonError};

/// A lane.
#[derive(Default)]
pub(crate) struct Lane {
    /// The number of the check whose turn it is.
    turn: Mutex<usize>,
    moved: Condvar,
}

/// Its check's turn, until it is dropped.
pub(crate) struct Turn<'a>(&'a Lane);

impl Lane {
    /// Waits for the turn of the check of this number; each from 0 on must be waited for.
    pub(crate) fn wait(&self, number: usize) -> Turn<'_> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.moved.wait_while(turn, |turn| *turn != number).unwrap_or_else(PoisonError::into_inner));
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.turn.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.moved.notify_all();
    }
}
