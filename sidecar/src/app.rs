//! The wiring: every part of the sidecar is made and joined here, from top to bottom.

mod sockets;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::FutureExt;
use futures::future::BoxFuture;
use kube::{Client, Config as KubeConfig};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;
use uuid::Uuid;

use self::sockets::Sockets;
use crate::config::Config;
use crate::env::Env;
use crate::executor::{self, Executor};
use crate::gc::GarbageCollector;
use crate::health::permissions::{Doubt, watch_over};
use crate::health::{Pending, Readiness};
use crate::http::gateway::Gateway;
use crate::http::ops;
use crate::http::server::{Limits, serve};
use crate::incident::{Commit, Drain};
use crate::incident_tasks::{self, IncidentTasks};
use crate::index::Index;
use crate::index::watch::{WatchSinks, follow, silence_limit};
use crate::metrics::Metrics;

/// Connections at once on each of the ports for those who watch.
const OPS_CONNECTIONS: usize = 64;
/// How long a replica may keep signals waiting for it while it lists the RRs for the first time.
const FIRST_LIST: Duration = Duration::from_secs(30);
/// How long a probe or a scrape in hand may keep a drained replica.
const OPS_PATIENCE: Duration = Duration::from_secs(1);

/// What commits signals is made of these.
pub struct Parts<'a> {
    /// The whole configuration.
    pub config: &'a Config,
    /// Who this replica is.
    pub env: &'a Env,
    /// The cluster.
    pub client: Client,
    /// The namespace of the RRs and the leases.
    pub namespace: &'a str,
    /// The active RRs, as far as they are known.
    pub index: Arc<Index>,
    /// Told where a call is refused.
    pub doubt: Doubt,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

/// What commits signals, and what cleans up behind it.
pub struct Service<C> {
    /// Commits signals.
    pub commit: Arc<C>,
    /// Runs for as long as the sidecar does.
    pub housekeeping: BoxFuture<'static, ()>,
}

/// Makes the owner tasks, the housekeeper, and the executor that both call the API server with.
pub fn service(parts: Parts<'_>) -> Service<IncidentTasks<Arc<Executor>>> {
    let Parts { config, env, client, namespace, index, doubt, metrics } = parts;
    let (limits, lease) = (&config.limits, &config.lease);
    // A process id of its own for each process: a restarted pod keeps its name, and is another holder all the same.
    let identity: Arc<str> = format!("{}_{}", env.pod_name, Uuid::new_v4().simple()).into();
    let calls = executor::Settings {
        namespace: namespace.to_owned(),
        identity: Arc::clone(&identity),
        lease_duration: lease.duration,
        max_calls_in_flight: limits.max_api_calls_in_flight,
        call_timeout: limits.api_call_timeout,
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
    let executor = Arc::new(Executor::new(client, calls, Arc::clone(&index), doubt, Arc::clone(&metrics)));
    let (for_house, measured) = (Arc::clone(&executor), Arc::clone(&metrics));
    let collector = GarbageCollector::new(config, namespace, &env.pod_name, for_house, index, measured);
    let commit = Arc::new(IncidentTasks::new(executor, settings, metrics));
    Service { commit, housekeeping: collector.run().boxed() }
}

/// Runs the sidecar until `shutdown`, and then until it has drained. `committer` makes what commits signals.
///
/// # Errors
/// If an address cannot be bound, no cluster is configured, a server dies, or draining takes too long.
pub async fn run<C, F>(config: Config, env: Env, committer: F, shutdown: impl Future<Output = ()>) -> anyhow::Result<()>
where
    C: Commit + Drain,
    F: FnOnce(Parts<'_>) -> Service<C>,
{
    let sockets = Sockets::bind(&config.listen).await?;
    sockets.log()?;
    let Clients { calls: client, watch } = clients(&config).await?;
    let namespace = config.namespace.as_deref().unwrap_or(&env.pod_namespace);
    let (metrics, readiness) = (Arc::new(Metrics::new()), Readiness::default());
    let (index, doubt) = (Arc::new(Index::default()), Doubt::default());

    let patience = config.limits.api_call_timeout;
    let rights = watch_over(client.clone(), namespace.to_owned(), patience, readiness.clone(), doubt.clone());
    let sinks =
        WatchSinks { index: Arc::clone(&index), permission_recheck: doubt.clone(), metrics: Arc::clone(&metrics) };
    let following = follow(watch, namespace.to_owned(), config.index.watch_timeout, sinks);
    let listed = until_listed(readiness.pending("index", "listing the RemediationRequests"), Arc::clone(&index));
    let parts = Parts { config: &config, env: &env, client, namespace, index, doubt, metrics: Arc::clone(&metrics) };
    let Service { commit, housekeeping } = committer(parts);
    let background = async move {
        tokio::join!(rights, following, listed, housekeeping);
    };
    let background = AbortOnDropHandle::new(tokio::spawn(background));
    serve_until(shutdown, &config, sockets, commit, metrics, readiness, background).await
}

/// Holds the replica back until its index is there: meanwhile each new incident costs a list of its own, and in a storm
/// other replicas can do better. But not for ever, for without an index it is slow, and no worse.
async fn until_listed(_pending: Pending, index: Arc<Index>) {
    let _ = timeout(FIRST_LIST, index.listed()).await;
}

/// Serves all three ports until `shutdown`, and then drains.
async fn serve_until<C: Commit + Drain>(
    shutdown: impl Future<Output = ()>,
    config: &Config,
    sockets: Sockets,
    commit: Arc<C>,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    mut background: AbortOnDropHandle<()>,
) -> anyhow::Result<()> {
    let limits = &config.limits;
    let gateway = Gateway::new(Arc::clone(&commit), limits.clone(), Arc::clone(&metrics));
    let header_timeout = limits.header_timeout;
    let (idle_timeout, write_timeout) = (limits.idle_timeout, limits.write_timeout);
    let signal_limits =
        Limits { connections: limits.max_connections, header_timeout, idle_timeout, write_timeout, once: false };
    // Nobody may keep a connection there: the kubelet restarts a replica that has none left for its probes.
    let ops_limits = Limits { connections: OPS_CONNECTIONS, once: true, ..signal_limits };
    let (no_more_signals, no_more) = (CancellationToken::new(), CancellationToken::new());

    let signals = gateway.router();
    let signals = serve(sockets.signals, signals, signal_limits, Some(Arc::clone(&metrics)), no_more_signals.clone());
    let health = serve(sockets.health, ops::health(readiness.clone()), ops_limits, None, no_more.clone());
    let metrics = serve(sockets.metrics, ops::metrics(metrics), ops_limits, None, no_more.clone());
    let mut signals = AbortOnDropHandle::new(tokio::spawn(signals));
    let ops = [health, metrics].map(|port| AbortOnDropHandle::new(tokio::spawn(port)));

    tokio::select! {
        () = shutdown => {}
        // Neither ends before it is told to, unless a bug ends it: better a restart than a replica that looks ready.
        died = &mut signals => return died.context("the server of the signal port died"),
        died = &mut background => return died.context("the task of the index, the housekeeping and the rights died"),
    }
    // Held to the end: probes go on being answered, with "not ready", until the process is gone.
    let _draining = lame_duck(config, &readiness).await;
    no_more_signals.cancel();
    let drained = async {
        signals.await.context("the server of the signal port died")?;
        commit.drain().await;
        anyhow::Ok(())
    };
    let patience = config.shutdown.drain_timeout;
    timeout(patience, drained)
        .await
        .with_context(|| format!("not drained within {patience:?} (shutdown.drainTimeout)"))??;
    no_more.cancel();
    for port in ops {
        let _ = timeout(OPS_PATIENCE, port).await;
    }
    info!("drained: every signal in hand was answered");
    Ok(())
}

/// Reports "not ready" for a while before anything is refused, so that load balancers look elsewhere first.
async fn lame_duck(config: &Config, readiness: &Readiness) -> Pending {
    let pause = config.shutdown.lame_duck;
    let draining = readiness.pending("draining", "the replica is shutting down");
    info!(?pause, "shutting down: not ready from now on, accepting for a while");
    sleep(pause).await;
    draining
}

/// Clients of the cluster that KUBECONFIG, ~/.kube/config or the pod's service account names.
struct Clients {
    /// For single calls. It never repeats one by itself: whether a call may be repeated is for the claim protocol to say,
    /// and each has a deadline of its own.
    calls: Client,
    /// For the watch, whose calls have no deadline, but must not wait for ever on a connection that is dead.
    watch: Client,
}

async fn clients(config: &Config) -> anyhow::Result<Clients> {
    let mut kube = KubeConfig::infer()
        .await
        .context("no cluster: set KUBECONFIG, or run in a pod with a service account (deploy/base)")?;
    kube.default_retry = false;
    kube.connect_timeout = Some(config.limits.api_call_timeout);
    let mut watching = kube.clone();
    watching.read_timeout = Some(silence_limit(config.index.watch_timeout));
    watching.reset_reader_on_write = true;
    let client = |config| Client::try_from(config).context("cannot make a client of the cluster");
    Ok(Clients { calls: client(kube)?, watch: client(watching)? })
}

#[cfg(test)]
mod tests;
