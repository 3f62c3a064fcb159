//! Serves the three ports until shutdown, then drains.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use super::sockets::Sockets;
use crate::auth::Auth;
use crate::config::Config;
use crate::health::{Condition, Pending, Readiness};
use crate::http::gateway::Gateway;
use crate::http::ops;
use crate::http::policy::Policy;
use crate::http::server::{Socket, SocketLimits, serve};
use crate::incident::{Commit, Drain};
use crate::metrics::{Metrics, Port};
use crate::tls::Served;
use crate::traces::Traces;

/// Open connections on the health port, and on the metrics port.
pub const OPS_CONNECTIONS: usize = 64;
/// Those of one peer: a stranger's connections must not take the places of the kubelet's and of Envoy's.
const OPS_PER_PEER: usize = OPS_CONNECTIONS / 4;
/// How long the headers of a probe may take: the kubelet sends them at once.
const PROBE_HEADERS: Duration = Duration::from_secs(1);
/// How long a probe or a scrape in flight may delay the exit of a drained replica.
const OPS_DRAIN: Duration = Duration::from_secs(1);

/// What requests are answered by.
pub struct Serving<C> {
    /// Counts signals.
    pub commit: Arc<C>,
    /// Decides about senders.
    pub auth: Arc<Auth>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` reports.
    pub readiness: Readiness,
    /// The spans of requests.
    pub traces: Traces,
}

/// Serves `sockets` until `shutdown`, then drains.
///
/// # Errors
/// If the signal server or `background` ends, or if draining takes too long.
pub async fn serve_until<C: Commit + Drain>(
    shutdown: impl Future<Output = ()>,
    config: &Config,
    sockets: Sockets,
    serving: Serving<C>,
    mut background: AbortOnDropHandle<()>,
) -> anyhow::Result<()> {
    let Serving { commit, auth, metrics, readiness, traces } = serving;
    let limits = &config.limits;
    let rules = Arc::new(config.targets.clone());
    info!(event = "targets_compiled", targets = rules.hash(), "target rules compiled");
    let policy = Policy::new(rules, config.events.clone(), config.freshness.clone());
    let (committed, measured) = (Arc::clone(&commit), Arc::clone(&metrics));
    let gateway = Gateway::new(committed, policy, limits.clone(), measured, auth, config.problem_types);
    let signal_limits = SocketLimits {
        connections: limits.max_connections,
        per_peer: limits.max_connections_per_peer,
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
        write_timeout: limits.write_timeout,
        once: false,
    };
    // One request per connection: idle connections must not fill the port, or probes fail and the kubelet restarts the pod.
    let ops_limits = SocketLimits { connections: OPS_CONNECTIONS, per_peer: OPS_PER_PEER, once: true, ..signal_limits };
    let health_limits = SocketLimits { header_timeout: PROBE_HEADERS.min(limits.header_timeout), ..ops_limits };
    let (stop_signals, stop_ops) = (CancellationToken::new(), CancellationToken::new());

    let Sockets { signals, health, metrics: scrapes, tls } = sockets;
    let signals_tls = tls.as_ref().map(Served::signals);
    let scrapes_tls = tls.as_ref().and_then(Served::metrics);
    let _renewal = tls.map(|tls| AbortOnDropHandle::new(tokio::spawn(tls.renew(Arc::clone(&metrics)))));
    let signals = Socket { listener: signals, port: Port::Signals, limits: signal_limits, tls: signals_tls };
    let health = Socket { listener: health, port: Port::Health, limits: health_limits, tls: None };
    let scrapes = Socket { listener: scrapes, port: Port::Metrics, limits: ops_limits, tls: scrapes_tls };

    let signals = serve(signals, gateway.router(traces), Arc::clone(&metrics), stop_signals.clone());
    let health =
        serve(health, ops::health(readiness.clone(), config.problem_types), Arc::clone(&metrics), stop_ops.clone());
    let scrapes = serve(scrapes, ops::metrics(Arc::clone(&metrics)), metrics, stop_ops.clone());
    let mut signals = AbortOnDropHandle::new(tokio::spawn(signals));
    let ops = [health, scrapes].map(|port| AbortOnDropHandle::new(tokio::spawn(port)));

    tokio::select! {
        () = shutdown => {}
        // Both run until they are stopped; an early end is a bug. Exit, rather than look ready without them.
        ended = &mut signals => return ended.context("the server of the signal port ended"),
        ended = &mut background => return ended.context("the background task (index, GC, permissions) ended"),
    }
    // Held until the process exits: probes get "not ready" to the end.
    let _draining = lame_duck(config.shutdown.lame_duck, &readiness).await;
    stop_signals.cancel();
    let drained = async {
        signals.await.context("the server of the signal port ended")?;
        commit.drain().await;
        anyhow::Ok(())
    };
    let limit = config.shutdown.drain_timeout;
    timeout(limit, drained)
        .await
        .with_context(|| format!("not drained within {limit:?} (shutdown.drainTimeout)"))??;
    stop_ops.cancel();
    for port in ops {
        let _ = timeout(OPS_DRAIN, port).await;
    }
    info!(event = "drained", "drained: every request in flight got its response");
    Ok(())
}

/// Reports "not ready" while still accepting signals, so that load balancers stop sending first.
async fn lame_duck(duration: Duration, readiness: &Readiness) -> Pending {
    let draining = readiness.pending(Condition::Draining, "the replica is shutting down");
    info!(event = "draining", ?duration, "shutting down: not ready, still accepting signals");
    sleep(duration).await;
    draining
}
