//! Readiness as a set of pending tasks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ready when no task is pending.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    pending: Arc<Mutex<BTreeMap<&'static str, String>>>,
    details: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

/// A task that must end before the sidecar is ready. It ends when this is dropped.
#[derive(Debug)]
pub struct Pending {
    readiness: Readiness,
    task: &'static str,
}

impl Readiness {
    /// Adds a pending task: not ready from now on. `/readyz` shows `why`.
    pub fn pending(&self, task: &'static str, why: impl Into<String>) -> Pending {
        self.lock().insert(task, why.into());
        Pending { readiness: self.clone(), task }
    }

    /// The pending tasks, each with its reason; empty when ready.
    pub fn reasons(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().map(|(task, why)| (*task, why.clone())).collect()
    }

    /// Sets or removes what `/readyz` says beside, about something that does not make the replica unready.
    pub fn detail(&self, about: &'static str, what: Option<String>) {
        let mut details = self.details.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Some(what) => drop(details.insert(about, what)),
            None => drop(details.remove(about)),
        }
    }

    /// What was set by [`Self::detail`].
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let details = self.details.lock().unwrap_or_else(PoisonError::into_inner);
        details.iter().map(|(about, what)| (*about, what.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        // A panic elsewhere cannot leave a map of strings in a broken state.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// Replaces the reason.
    pub fn because(&self, why: impl Into<String>) {
        self.readiness.lock().insert(self.task, why.into());
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.readiness.lock().remove(self.task);
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;

    #[test]
    fn a_detail_does_not_make_it_unready() {
        let readiness = Readiness::default();
        readiness.detail("targets", Some("told by names".to_owned()));
        assert_eq!((readiness.reasons().len(), readiness.details()[0].0), (0, "targets"));
        readiness.detail("targets", None);
        assert!(readiness.details().is_empty());
    }

    #[test]
    fn it_is_ready_when_the_last_task_ends() {
        let readiness = Readiness::default();
        let start = readiness.pending("start", "listening");
        let permissions = readiness.pending("permissions", "not checked yet");
        drop(start);
        permissions.because("the API server does not respond");
        assert_eq!(readiness.reasons(), [("permissions", "the API server does not respond".to_owned())]);
        drop(permissions);
        assert!(readiness.reasons().is_empty());
    }
}
