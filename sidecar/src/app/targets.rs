//! Builds what finds the workloads that RRs name, and what says which of them are in scope.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, join, pending, ready};
use kube::Client;
use onceway_signal::rules::Resolve;

use crate::config::Config;
use crate::executor::MetadataReader;
use crate::health::Readiness;
use crate::health::permissions::{PermissionRecheck, Permissions};
use crate::health::targets::TargetRights;
use crate::metrics::Metrics;
use crate::scope::{self, NamespaceSink, Namespaces};
use crate::workload::{self, ReadMetadata, ReadRights, Workloads};

/// What the service is built from, and what keeps it up to date.
pub(super) struct Targets {
    /// Finds workloads.
    pub(super) workloads: Workloads,
    /// What is in scope.
    pub(super) scope: scope::Settings,
    /// Never ends.
    pub(super) background: BoxFuture<'static, ()>,
}

/// Builds them by `config`. `watch` is the client for watches; `recheck` is notified where a right that the replica needs may be
/// missing.
pub(super) fn targets(
    config: &Config,
    permissions: Permissions,
    watch: Client,
    readiness: Readiness,
    recheck: &PermissionRecheck,
    metrics: &Arc<Metrics>,
) -> Targets {
    let (rights, label) = (Arc::new(ReadRights::default()), config.scope.label.as_deref().map(Arc::from));
    // Without a scope nothing depends on these rights, and a replica without them is ready.
    let monitored = needs_verified(config) && label.is_none();
    let read_recheck = if monitored { PermissionRecheck::default() } else { recheck.clone() };
    let reader = MetadataReader::new(
        permissions.client.clone(),
        permissions.call_timeout,
        Arc::clone(&rights),
        read_recheck.clone(),
        Arc::clone(metrics),
    );
    let reader: Arc<dyn ReadMetadata> = Arc::new(reader);
    let resolution = config.targets.resolution().clone();
    let missing = resolution.missing;
    let settings = workload::Settings { resolution, timeout: config.limits.target_timeout, label: label.clone() };
    let workloads = Workloads::new(settings, Arc::clone(&reader), Arc::clone(metrics));
    let namespaces = label.map(|label| Arc::new(Namespaces::new(label, reader)));

    let monitoring = if monitored {
        let rights = TargetRights { rights, readiness, recheck: read_recheck, metrics: Arc::clone(metrics) };
        rights.monitor(permissions).boxed()
    } else {
        ready(()).boxed()
    };
    let following = match namespaces.clone() {
        Some(namespaces) => {
            let sink = NamespaceSink { namespaces, recheck: recheck.clone(), metrics: Arc::clone(metrics) };
            scope::follow(watch, config.index.watch_timeout, sink).boxed()
        }
        None => ready(()).boxed(),
    };
    let background = join(monitoring, following).then(|_| pending()).boxed();
    Targets { workloads, scope: scope::Settings { missing, namespaces }, background }
}

/// Whether targets are verified by reads.
pub(super) fn needs_verified(config: &Config) -> bool {
    config.targets.resolution().resolve == Resolve::Verify
}
