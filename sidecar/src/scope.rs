//! What may be remediated at all: decided before an incident takes its claim, so that nothing is written for what may not.
//!
//! - With `scope.label`, an RR is created only for a target that has the label, or whose namespace has it (`decision`).
//! - With `targets.missing: reject`, only for one that exists.
//!
//! An incident with an active RR is past this: its signals are counted, whatever its labels say by now. What the reads find is
//! handed on, so that the RR's target costs no second lookup. What cannot be decided is a 503, never a guess.

mod decision;
mod lookups;
mod namespaces;
mod rejection;
mod watch;

use std::sync::Arc;

use onceway_signal::rules::Missing;
use tracing::debug;

use self::decision::{Decision, decide};
use self::lookups::Lookups;
pub use self::namespaces::Namespaces;
use self::rejection::{missing, unmanaged};
pub use self::watch::{NamespaceSink, follow};
use crate::incident::{Commit, Counted, Drain, Submission, SubmitError};
use crate::index::Index;
use crate::metrics::Metrics;
use crate::workload::{How, Workloads};

/// Commits submissions about targets that may be remediated.
pub struct Scoped<C> {
    commit: C,
    gate: Option<Gate>,
}

/// Settings of a [`Scoped`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// `targets.missing`.
    pub missing: Missing,
    /// The namespaces' labels, with `scope.label`.
    pub namespaces: Option<Arc<Namespaces>>,
}

struct Gate {
    settings: Settings,
    workloads: Workloads,
    lookups: Lookups,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
}

impl<C> Scoped<C> {
    /// Commits with `commit` what the settings allow; if they allow everything, it costs nothing.
    pub fn new(commit: C, settings: Settings, workloads: Workloads, index: Arc<Index>, metrics: Arc<Metrics>) -> Self {
        let is_needed = settings.missing == Missing::Reject || settings.namespaces.is_some();
        let gate = is_needed.then(|| Gate { settings, workloads, lookups: Lookups::default(), index, metrics });
        Self { commit, gate }
    }
}

impl<C: Commit> Commit for Scoped<C> {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        if let Some(gate) = &self.gate {
            gate.check(&submission).await?;
        }
        self.commit.submit(submission).await
    }
}

impl<C: Drain + Sync> Drain for Scoped<C> {
    async fn drain(&self) {
        self.commit.drain().await;
    }
}

impl Gate {
    async fn check(&self, submission: &Submission) -> Result<(), SubmitError> {
        let Submission { fingerprint, target, signals, .. } = submission;
        if self.index.has_active(*fingerprint) == Some(true) {
            return Ok(());
        }
        let lookup = self.lookups.get(*fingerprint, || target.find(&self.workloads));
        target.set(lookup.clone());
        let (named, found) = (target.named(), lookup.await);
        let rejection = if self.settings.missing == Missing::Reject && found.how == How::Missing {
            missing(named)
        } else if let Some(namespaces) = &self.settings.namespaces {
            match decide(named, &found, self.workloads.resolution(), namespaces).await {
                Decision::Managed => return Ok(()),
                Decision::Unmanaged => unmanaged(named, namespaces.label()),
                Decision::Unknown { cause } => return Err(SubmitError::Undecided { cause }),
            }
        } else {
            return Ok(());
        };
        let signals = usize::try_from(signals.get()).unwrap_or(usize::MAX);
        self.metrics.rejections.add(rejection.reason, signals);
        debug!(%fingerprint, resource = rejection.resource, reason = rejection.reason, "signals rejected for their target");
        Err(SubmitError::Rejected(Box::new(rejection.into())))
    }
}

#[cfg(test)]
mod tests;
