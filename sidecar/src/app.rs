//! Wires the components of the sidecar together, top to bottom.

pub mod open_files;
mod senders;
pub mod serving;
pub mod sockets;
mod targets;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use futures::future::BoxFuture;
use kube::{Client, Config as KubeConfig};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::senders::authentication;
use self::serving::{Serving, serve_until};
use self::sockets::Sockets;
use self::targets::{Targets, needs_verified, targets};
use crate::budgets::Budgeted;
use crate::config::{AuthMode, Config, short};
use crate::env::Env;
use crate::executor::{self, Executor};
use crate::gc::GarbageCollector;
use crate::health::permissions::{PermissionRecheck, Permissions, monitor_permissions};
use crate::health::{Condition, Pending, Readiness};
use crate::incident::{Commit, Drain};
use crate::incident_tasks::{self, IncidentTasks};
use crate::index::Index;
use crate::index::watch::{WatchSinks, follow};
use crate::metrics::Metrics;
use crate::scope::{self, Scoped};
use crate::traces::{Identity, Traces};
use crate::watching::read_timeout;
use crate::workload::Workloads;

/// How long a replica delays its readiness for the first list of RRs.
const FIRST_LIST: Duration = Duration::from_secs(30);

/// What a [`Service`] is built from.
pub struct Dependencies<'a> {
    /// The whole configuration.
    pub config: &'a Config,
    /// The identity of this replica.
    pub env: &'a Env,
    /// A client of the API server, without retries.
    pub client: Client,
    /// The namespace of the RRs and the leases.
    pub namespace: &'a str,
    /// The active RRs, as far as they are known.
    pub index: Arc<Index>,
    /// Finds the workloads that RRs name.
    pub workloads: Workloads,
    /// Which targets are in scope.
    pub scope: scope::Settings,
    /// To notify on 401/403.
    pub recheck: PermissionRecheck,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// Commits signals, and collects the garbage of doing so.
pub struct Service<C> {
    /// Commits signals.
    pub commit: Arc<C>,
    /// Runs the background GC loops; never ends.
    pub housekeeping: BoxFuture<'static, ()>,
}

/// Builds the incident tasks, within scope and budgets, and the GC, over one executor.
pub fn service(dependencies: Dependencies<'_>) -> Service<Scoped<Budgeted<IncidentTasks<Arc<Executor>>>>> {
    let Dependencies { config, env, client, namespace, index, workloads, scope, recheck, metrics } = dependencies;
    let (limits, lease) = (&config.limits, &config.lease);
    // Unique per process: a restarted container keeps its pod's name, and is still another holder.
    let identity: Arc<str> = format!("{}_{}", env.pod_name, Uuid::new_v4().simple()).into();
    let calls = executor::Settings {
        namespace: namespace.to_owned(),
        identity: Arc::clone(&identity),
        lease_duration: lease.duration,
        max_calls_in_flight: limits.max_api_calls_in_flight,
        call_timeout: limits.api_call_timeout,
        kubernaut_locks: config.migration.kubernaut_locks,
    };
    let settings = incident_tasks::Settings {
        namespace: namespace.to_owned(),
        identity,
        deadline: limits.deadline,
        max_incidents: limits.max_incidents,
        max_queue_per_incident: limits.max_queue_per_incident,
        incident_idle: limits.incident_idle,
        count_interval: config.batching.count_interval,
        max_bytes_per_second: config.batching.max_bytes_per_second,
        takeover_after: lease.takeover_after,
    };
    let executor = Executor::new(client, calls, Arc::clone(&index), workloads.clone(), recheck, Arc::clone(&metrics));
    let executor = Arc::new(executor);
    let (for_house, measured) = (Arc::clone(&executor), Arc::clone(&metrics));
    let collector = GarbageCollector::new(config, namespace, &env.pod_name, for_house, Arc::clone(&index), measured);
    let tasks = IncidentTasks::new(executor, settings, Arc::clone(&metrics));
    let budgeted = Budgeted::new(tasks, limits, Arc::clone(&index), Arc::clone(&metrics));
    // What is out of scope uses up no budget.
    let commit = Arc::new(Scoped::new(budgeted, scope, workloads, index, metrics));
    Service { commit, housekeeping: collector.run().boxed() }
}

/// Runs the sidecar until `shutdown`, then drains. `build` builds the service that commits signals.
///
/// # Errors
/// If an address cannot be bound, no cluster is configured, a server ends, or draining takes too long.
pub async fn run<C, F>(config: Config, env: Env, build: F, shutdown: impl Future<Output = ()>) -> anyhow::Result<()>
where
    C: Commit + Drain,
    F: FnOnce(Dependencies<'_>) -> Service<C>,
{
    open_files::raise(&config.limits);
    let sockets = Sockets::bind(&config.listen).await?.with_tls(config.tls.as_ref()).await?;
    sockets.log()?;
    let Clients { calls: client, watch } = clients(&config).await?;
    let namespace = config.namespace.as_deref().unwrap_or(&env.pod_namespace);
    let metrics = Arc::new(Metrics::new());
    let readiness = Readiness::measured(metrics.health.clone());
    metrics.identity.configured(&config.digest(), short(config.targets.hash()));
    let (index, recheck) = (Arc::new(Index::default()), PermissionRecheck::default());

    let auth = Arc::new(authentication(&config, &env, client.clone(), recheck.clone(), Arc::clone(&metrics)));
    let has_scope = config.scope.label.is_some();
    let permissions = Permissions {
        reviews: config.auth.mode == AuthMode::Kubernetes,
        scope: has_scope,
        targets: has_scope && needs_verified(&config),
        metrics: Some(metrics.health.clone()),
        ..Permissions::new(client.clone(), namespace, config.limits.api_call_timeout)
    };
    let Targets { workloads, scope, background: targeting } =
        targets(&config, permissions.clone(), watch.clone(), readiness.clone(), &recheck, &metrics);
    let permissions = monitor_permissions(permissions, readiness.clone(), recheck.clone());
    let kept = WatchSinks { index: Arc::clone(&index), recheck: recheck.clone(), metrics: Arc::clone(&metrics) };
    let following = follow(watch, namespace.to_owned(), config.index.watch_timeout, kept);
    let listed =
        until_listed(readiness.pending(Condition::Index, "listing the RemediationRequests"), Arc::clone(&index));
    let dependencies = Dependencies {
        config: &config,
        env: &env,
        client,
        namespace,
        index,
        workloads,
        scope,
        recheck,
        metrics: Arc::clone(&metrics),
    };
    let Service { commit, housekeeping } = build(dependencies);
    let episodes = metrics.episodes.clone().run();
    let background = async move {
        tokio::join!(permissions, targeting, following, listed, housekeeping, episodes);
    };
    let background = AbortOnDropHandle::new(tokio::spawn(background));
    let identity = Identity { pod: &env.pod_name, namespace: &env.pod_namespace };
    let (traces, exporting) = Traces::start(&config.tracing, identity, Arc::clone(&metrics))?;
    let serving = Serving { commit, auth, metrics, readiness, traces };
    let ended = serve_until(shutdown, &config, sockets, serving, background).await;
    if let Some(exporting) = exporting {
        exporting.end().await;
    }
    ended
}

/// Delays readiness until the index is in sync: without it each new incident costs an uncached list. The delay is limited,
/// because a replica without an index is slow but correct.
async fn until_listed(_pending: Pending, index: Arc<Index>) {
    let _ = timeout(FIRST_LIST, index.listed()).await;
}

/// Clients of the API server that KUBECONFIG, ~/.kube/config or the pod's service account names.
struct Clients {
    /// For single calls. It never retries: the claim protocol decides whether a call may be repeated. The caller sets the
    /// timeout of each.
    calls: Client,
    /// For the watch. Its calls have no timeout, so a read timeout detects dead connections.
    watch: Client,
}

async fn clients(config: &Config) -> anyhow::Result<Clients> {
    let mut kube = KubeConfig::infer()
        .await
        .context("no cluster configured: set KUBECONFIG, or run in a pod with a service account (deploy/chart)")?;
    kube.default_retry = false;
    kube.connect_timeout = Some(config.limits.api_call_timeout);
    let mut watch = kube.clone();
    watch.read_timeout = Some(read_timeout(config.index.watch_timeout));
    watch.reset_reader_on_write = true;
    let client = |config| Client::try_from(config).context("cannot build a client of the API server");
    Ok(Clients { calls: client(kube)?, watch: client(watch)? })
}

#[cfg(test)]
mod tests;
