//! Readiness as a set of pending tasks: one for each condition that does not hold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::{info, warn};

use super::condition::Condition;
use crate::metrics::HealthMetrics;

/// Ready when no task is pending.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    details: Mutex<BTreeMap<&'static str, String>>,
    metrics: Option<HealthMetrics>,
}

#[derive(Debug, Default)]
struct State {
    pending: BTreeMap<Condition, String>,
    /// Whether it was ready before.
    was_ready: bool,
}

/// A task that must end before the sidecar is ready. It ends when this is dropped.
#[derive(Debug)]
pub struct Pending {
    readiness: Readiness,
    condition: Condition,
}

impl Readiness {
    /// Readiness that these metrics show.
    pub fn measured(metrics: HealthMetrics) -> Self {
        Self(Arc::new(Shared { metrics: Some(metrics), ..Shared::default() }))
    }

    /// Adds a pending task: not ready from now on. `/readyz` shows `why`.
    pub fn pending(&self, condition: Condition, why: impl Into<String>) -> Pending {
        self.change(|pending| drop(pending.insert(condition, why.into())));
        Pending { readiness: self.clone(), condition }
    }

    /// The pending tasks, each with its reason; empty when ready.
    pub fn reasons(&self) -> Vec<(&'static str, String)> {
        self.lock().pending.iter().map(|(condition, why)| (condition.as_str(), why.clone())).collect()
    }

    /// Sets or removes what `/readyz` says beside, about something that does not make the replica unready.
    pub fn detail(&self, about: &'static str, what: Option<String>) {
        let mut details = self.0.details.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Some(what) => drop(details.insert(about, what)),
            None => drop(details.remove(about)),
        }
    }

    /// What was set by [`Self::detail`].
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let details = self.0.details.lock().unwrap_or_else(PoisonError::into_inner);
        details.iter().map(|(about, what)| (*about, what.clone())).collect()
    }

    /// Changes the pending tasks, shows them in the metrics, and logs a change of the verdict.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<Condition, String>)) {
        let mut state = self.lock();
        let before = state.pending.is_empty();
        change(&mut state.pending);
        let ready = state.pending.is_empty();
        if let Some(metrics) = &self.0.metrics {
            for condition in Condition::ALL {
                metrics.condition(condition.as_str(), !state.pending.contains_key(&condition));
            }
            metrics.ready(ready);
        }
        let was_ready = state.was_ready;
        state.was_ready |= ready;
        let reasons = state.pending.iter().map(|(condition, why)| format!("{}: {why}", condition.as_str()));
        let why = reasons.collect::<Vec<_>>().join("; ");
        // Not under the lock, which a probe takes.
        drop(state);
        match (before, ready) {
            (false, true) => info!(event = "ready", "ready"),
            (true, false) if was_ready => warn!(event = "not_ready", cause = why, "not ready any more"),
            _ => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave a map of strings in a broken state.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    /// Replaces the reason.
    pub fn because(&self, why: impl Into<String>) {
        self.readiness.change(|pending| drop(pending.insert(self.condition, why.into())));
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.readiness.change(|pending| drop(pending.remove(&self.condition)));
    }
}

#[cfg(test)]
mod tests {
    use super::Readiness;
    use crate::health::Condition;
    use crate::metrics::Metrics;

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
        let index = readiness.pending(Condition::Index, "listing");
        let permissions = readiness.pending(Condition::Permissions, "not checked yet");
        drop(index);
        permissions.because("the API server does not respond");
        assert_eq!(readiness.reasons(), [("permissions", "the API server does not respond".to_owned())]);
        drop(permissions);
        assert!(readiness.reasons().is_empty());
    }

    #[test]
    fn the_metrics_show_each_condition_and_the_verdict() {
        let metrics = Metrics::new();
        let readiness = Readiness::measured(metrics.health.clone());
        let shown = || {
            let text = metrics.render().unwrap();
            ["index", "permissions", "draining", "all"]
                .map(|condition| text.contains(&format!("gateway_ready{{condition=\"{condition}\"}} 1\n")))
        };
        let draining = readiness.pending(Condition::Draining, "the replica is shutting down");
        assert_eq!(shown(), [true, true, false, false]);
        drop(draining);
        assert_eq!(shown(), [true, true, true, true]);
    }
}
