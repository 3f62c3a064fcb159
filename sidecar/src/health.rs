//! Whether the sidecar lives and is ready.
//!
//! Ready means: started, the RRs listed (for which it waits a while), allowed to do what it must, the CRD there, not
//! draining. It does not mean that the API server answers: an outage there would empty the load balancer and move every
//! key, and no replica could do better than another.

pub mod permissions;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ready when nothing is pending: each task of the start registers itself by name and is done when it says so.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    pending: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

/// Something that must be over before the sidecar is ready; it is over when this is dropped.
#[derive(Debug)]
pub struct Pending {
    readiness: Readiness,
    task: &'static str,
}

impl Readiness {
    /// Not ready from now on, because of `task`; `why` is shown to people who look at `/readyz`.
    pub fn pending(&self, task: &'static str, why: impl Into<String>) -> Pending {
        self.lock().insert(task, why.into());
        Pending { readiness: self.clone(), task }
    }

    /// The tasks that are not over, each with its reason; empty when ready.
    pub fn reasons(&self) -> Vec<(&'static str, String)> {
        self.lock().iter().map(|(task, why)| (*task, why.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        // A map of strings has no broken state that a panic elsewhere could leave behind.
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
    fn it_is_ready_when_the_last_task_is_over() {
        let readiness = Readiness::default();
        let start = readiness.pending("start", "listening");
        let permissions = readiness.pending("permissions", "not asked yet");
        drop(start);
        permissions.because("the API server does not answer");
        assert_eq!(readiness.reasons(), [("permissions", "the API server does not answer".to_owned())]);
        drop(permissions);
        assert!(readiness.reasons().is_empty());
    }
}
