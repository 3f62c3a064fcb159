//! Why an incident's signals are not counted yet.

use std::sync::{Arc, Mutex, PoisonError};

/// The last error of an incident's current commit, shared between its task and the submissions that wait for it: a
/// submission whose deadline passes reports it as the cause.
#[derive(Clone, Default)]
pub(super) struct LastError(Arc<Mutex<Option<String>>>);

impl LastError {
    pub(super) fn set(&self, cause: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = cause;
    }

    /// The error; without one, the commit is merely slow.
    pub(super) fn text(&self) -> String {
        let cause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cause.clone().unwrap_or_else(|| "the incident's writes are slow".into())
    }
}
