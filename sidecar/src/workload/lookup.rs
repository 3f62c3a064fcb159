//! Finds workloads: runs the reads that [`chain`](super::chain) asks for, within one deadline.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, ready};
use onceway_signal::rules::{Resolution, Resolve};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, error};

use super::chain::{Chain, Found, How, Step};
use super::named::Named;
use super::read::{ReadMetadata, Unread};
use crate::metrics::Metrics;

/// What is found of one target, whoever waits for it. It makes progress whether or not somebody does.
pub type Lookup = Shared<BoxFuture<'static, Arc<Found>>>;

/// Settings of [`Workloads`].
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `targets.resolve` and `targets.localClusters`.
    pub resolution: Resolution,
    /// `limits.targetTimeout`.
    pub timeout: Duration,
    /// `scope.label`.
    pub label: Option<Arc<str>>,
}

/// Finds the workloads that new RRs name.
#[derive(Clone)]
pub struct Workloads {
    settings: Settings,
    reader: Arc<dyn ReadMetadata>,
    metrics: Arc<Metrics>,
}

impl fmt::Debug for Workloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workloads").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Workloads {
    /// Finds workloads with `reader`, as the settings say.
    pub fn new(settings: Settings, reader: Arc<dyn ReadMetadata>, metrics: Arc<Metrics>) -> Self {
        Self { settings, reader, metrics }
    }

    /// `targets.resolve` and `targets.localClusters`.
    pub fn resolution(&self) -> &Resolution {
        &self.settings.resolution
    }

    /// Begins to look for the workload of what a signal names.
    pub fn lookup(&self, named: Arc<Named>) -> Lookup {
        if let Some(found) = self.without_reads(&named) {
            self.metrics.targets.found(found.how.label());
            return ready(Arc::new(found)).boxed().shared();
        }
        let (this, late) = (self.clone(), Arc::clone(&named));
        // A task of its own: it goes on while the claim is taken, and however many wait for it.
        let task = tokio::spawn(async move { this.read(named).await });
        let found = task.map(move |found| {
            found.unwrap_or_else(|failure| {
                error!(event = "lookup_panicked", cause = %failure, "a lookup of a target panicked");
                Arc::new(Found { target: late.derived(), how: How::Failed, managed: None })
            })
        });
        found.boxed().shared()
    }

    /// What is found where nothing is to be read.
    fn without_reads(&self, named: &Named) -> Option<Found> {
        let Settings { resolution, .. } = &self.settings;
        let (target, how) = match resolution.resolve {
            Resolve::Named => (named.object.clone(), How::Named),
            Resolve::Derive => (named.derived(), How::Derived),
            // The objects of another cluster are not in this one's API.
            Resolve::Verify if !resolution.is_local(named.cluster.as_deref()) => (named.derived(), How::Derived),
            Resolve::Verify => return None,
        };
        Some(Found { target, how, managed: None })
    }

    async fn read(self, named: Arc<Named>) -> Arc<Found> {
        let deadline = Instant::now() + self.settings.timeout;
        let (mut chain, mut step) = Chain::begin(Named::clone(&named), self.settings.label.clone());
        let found = loop {
            let object = match step {
                Step::Done(found) => break found,
                Step::Read(object) => object,
            };
            let Ok(read) = timeout_at(deadline, self.reader.read(&object)).await else {
                break chain.found(How::Late);
            };
            if let Err(Unread::Failed(cause)) = &read {
                debug!(kind = object.kind.kind, name = object.name, cause, "cannot read an object of a new target");
            }
            step = chain.resume(object, read);
        };
        self.metrics.targets.found(found.how.label());
        Arc::new(found)
    }
}

#[cfg(test)]
mod tests;
