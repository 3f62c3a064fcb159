//! A gateway in front of replicas, with what it is installed into.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use onceway_gateways::gateway::Gateway;
use onceway_gateways::isolation::PODS;
use onceway_gateways::site::Site;
use onceway_kit::built;
use onceway_kit::envoy::Upstream;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use onceway_kit::sidecar::Sidecar;
use onceway_kit::storm::{self, Storm};
use serde_json::Value;
use tokio::time::timeout;

use crate::kind::Kind;

/// Replicas that take signals from the beginning; one more can be added.
pub(crate) const REPLICAS: usize = 3;
/// How long a replica may take to drain and end.
const DRAIN_LIMIT: Duration = Duration::from_secs(70);
/// How long a step of a storm may take.
const STORM_LIMIT: Duration = Duration::from_secs(60);
/// Incidents that show whether the filter runs.
const PROBES: usize = 36;

/// A gateway in front of replicas.
pub(crate) struct Running {
    pub(crate) kind: Kind,
    // In the order in which they are dropped.
    pub(crate) gateway: Box<dyn Gateway>,
    pub(crate) rig: Rig,
    pub(crate) site: Site,
    /// The values of the release.
    pub(crate) values: Value,
    /// The module in the sidecar's image.
    pub(crate) module: PathBuf,
    /// How many namespaces the checks' incidents have used.
    namespaces: usize,
}

impl Running {
    /// Starts a gateway, whose module cannot be fetched yet if it fetches one.
    pub(crate) async fn start(kind: Kind) -> Result<Self> {
        let module = tokio::task::spawn_blocking(built::filter::path).await??;
        let site = Site::start().await?;
        if kind.fetches() {
            site.registry.service().kill().await?;
        }
        let gateway = kind.start(&site, &module).await?;
        let mut values = site.values(kind.value(), &site.digest);
        merge(&mut values["gateway"], kind.values());
        println!("{}{}", site.install_crd().await?, site.install(&values).await?);
        gateway.installed(&module).await?;
        let rig = Rig::replicas(REPLICAS + 1).pods_in(PODS).in_cluster(site.cluster.clone()).with_long_timeouts();
        let rig = rig.start().await?;
        let running = Self { kind, gateway, rig, site, values, module, namespaces: 0 };
        running.use_replicas(REPLICAS).await?;
        Ok(running)
    }

    /// Has the gateway send to the first `count` replicas.
    pub(crate) async fn use_replicas(&self, count: usize) -> Result<()> {
        let replicas: Vec<Upstream> = self.rig.sidecars().iter().take(count).map(upstream).collect();
        self.gateway.set_replicas(&replicas).await
    }

    /// Has the gateway send to the replicas that take signals from the beginning, but not to this one.
    pub(crate) async fn use_replicas_but(&self, absent: usize) -> Result<()> {
        let replicas = self.rig.sidecars().iter().take(REPLICAS).enumerate().filter(|(n, _)| *n != absent);
        self.gateway.set_replicas(&replicas.map(|(_, sidecar)| upstream(sidecar)).collect::<Vec<_>>()).await
    }

    /// Has the last replica leave as a pod does: it is asked to end and is no endpoint any more, at the same time.
    pub(crate) async fn scale_down(&self) -> Result<()> {
        let leaving = self.rig.sidecar(REPLICAS).service();
        let (stopped, replaced) = tokio::join!(leaving.stop(DRAIN_LIMIT), self.use_replicas(REPLICAS));
        stopped.and(replaced)
    }

    /// Starts a replica that was killed, and has the gateway send to all that take signals from the beginning.
    pub(crate) async fn revive(&self, replica: usize) -> Result<()> {
        self.rig.sidecar(replica).service().restart()?;
        self.rig.sidecar(replica).until_ready().await?;
        self.use_replicas(REPLICAS).await
    }

    /// Makes the module available, and waits until the filter runs.
    pub(crate) async fn serve_module(&mut self) -> Result<()> {
        if self.site.registry.service().process()?.is_running() {
            return Ok(());
        }
        // With its images, which it keeps in memory.
        self.site.registry.restart().await?;
        if self.kind == Kind::EnvoyGateway {
            // It asks for the module again when something that it watches has changed, such as an endpoint.
            self.use_replicas(REPLICAS - 1).await?;
            self.use_replicas(REPLICAS).await?;
        }
        self.gateway.fetch_again().await?;
        let (incidents, url) = (self.incidents(PROBES), self.gateway.url());
        let settled = self.rig.settled_owners(&url, &incidents, &mut 0, REPLICAS).await;
        settled.map(drop).context("the filter does not run although its module can be fetched")
    }

    /// Installs these values.
    pub(crate) async fn upgrade(&mut self, values: Value) -> Result<()> {
        self.site.install(&values).await?;
        self.values = values;
        self.gateway.installed(&self.module).await
    }

    /// Incidents that no other check has met.
    pub(crate) fn incidents(&mut self, count: usize) -> Vec<Incident> {
        self.namespaces += 1;
        Incident::several(&format!("prod-{}", self.namespaces), count)
    }

    /// A storm through the gateway about new incidents.
    pub(crate) fn storm(&mut self, incidents: usize) -> Storm {
        Storm::new(vec![self.gateway.url()], self.incidents(incidents))
    }

    /// Waits for the last response of a storm. An error if it was not counted exactly; else how many attempts were repeated.
    pub(crate) async fn exact(&self, storm: storm::Running) -> Result<String> {
        let progress = std::sync::Arc::clone(storm.progress());
        let report = storm.report().await;
        self.rig.verdict(&report).await?;
        Ok(format!("{} of {} repeated", progress.retried(), progress.sent()))
    }
}

/// Waits until `count` more signals of the storm are acknowledged.
pub(crate) async fn until_acknowledged(storm: &storm::Running, count: u64) -> Result<()> {
    let wanted = storm.progress().acknowledged() + count;
    let acknowledged = timeout(STORM_LIMIT, storm.until_acknowledged(wanted)).await;
    acknowledged.with_context(|| format!("{} signals acknowledged, not {wanted}", storm.progress().acknowledged()))
}

/// Merges values of the chart into others.
pub(crate) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.into_iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from,
    }
}

/// Where a replica listens.
pub(crate) fn upstream(sidecar: &Sidecar) -> Upstream {
    Upstream { signals: sidecar.signals(), health: sidecar.health() }
}
