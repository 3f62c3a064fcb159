//! The settings of a rig, and its start.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use futures::future::try_join_all;
use onceway::config::Config;
use onceway::health::permissions::SCOPE_RIGHTS;
use serde_json::{Value, json};

use super::running::Rig;
use crate::built;
use crate::client::Client;
use crate::clock::Clock;
use crate::cluster::{Cluster, deploy};
use crate::envoy::{Envoy, Upstream, lengthen_timeouts};
use crate::fault_proxy::{FaultProxy, Record};
use crate::ports::Port;
use crate::scratch::Scratch;
use crate::sidecar::{Listen, PodNetwork, Settings, Sidecar};

/// Changes Envoy's configuration.
type Edit = Box<dyn FnOnce(&mut Value) + Send>;

/// The settings of a rig.
pub struct RigBuilder {
    replicas: usize,
    envoy: Option<Edit>,
    cluster: Option<Arc<Cluster>>,
    own_cluster: bool,
    our_crd: bool,
    fault_proxies: bool,
    clocks: bool,
    bodies: bool,
    long_timeouts: bool,
    pods: Option<PodNetwork>,
    auth: bool,
    as_configured: bool,
    program: fn() -> Result<PathBuf>,
    environment: Vec<(&'static str, &'static str)>,
    label: &'static str,
    namespace: Option<&'static str>,
    config: Value,
}

impl Rig {
    /// A rig with this number of sidecars; [`RigBuilder::start`] starts it.
    pub fn replicas(replicas: usize) -> RigBuilder {
        RigBuilder {
            replicas,
            envoy: None,
            cluster: None,
            own_cluster: false,
            our_crd: false,
            fault_proxies: true,
            clocks: false,
            bodies: true,
            long_timeouts: false,
            pods: None,
            auth: false,
            as_configured: false,
            program: built::sidecar,
            environment: Vec::new(),
            label: "rig",
            namespace: None,
            config: json!({}),
        }
    }
}

impl RigBuilder {
    /// With Envoy and the filter in front of the replicas.
    #[must_use]
    pub fn with_envoy(self) -> Self {
        self.with_envoy_edited(|_| {})
    }

    /// With Envoy and the filter in front of the replicas, and a configuration that `edit` changes.
    #[must_use]
    pub fn with_envoy_edited(self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        Self { envoy: Some(Box::new(edit)), ..self }
    }

    /// With its own API server and etcd, which the test may stop, freeze and kill. Costs about three seconds.
    #[must_use]
    pub fn own_cluster(self) -> Self {
        Self { own_cluster: true, ..self }
    }

    /// With our CRD, whatever `ONCEWAY_CRD` says: for tests about fields, columns and limits that kubernaut's does not have.
    #[must_use]
    pub fn with_our_crd(self) -> Self {
        Self { our_crd: true, ..self }
    }

    /// In this cluster.
    #[must_use]
    pub fn in_cluster(self, cluster: Arc<Cluster>) -> Self {
        Self { cluster: Some(cluster), ..self }
    }

    /// Without fault proxies, and so without a record of calls: for measurements.
    #[must_use]
    pub fn without_fault_proxies(self) -> Self {
        Self { fault_proxies: false, ..self }
    }

    /// With a settable wall clock for each replica.
    #[must_use]
    pub fn with_clocks(self) -> Self {
        Self { clocks: true, ..self }
    }

    /// With a record without the bodies of calls: for hundreds of thousands of calls.
    #[must_use]
    pub fn without_bodies(self) -> Self {
        Self { bodies: false, ..self }
    }

    /// With this program in place of the sidecar.
    #[must_use]
    pub fn program(self, program: fn() -> Result<PathBuf>) -> Self {
        Self { program, ..self }
    }

    /// With replicas that listen as pods of this network: each at an address of its own, all on the same ports.
    #[must_use]
    pub fn pods_in(self, network: PodNetwork) -> Self {
        Self { pods: Some(network), ..self }
    }

    /// With these variables in the environment of each replica.
    #[must_use]
    pub fn environment(self, environment: Vec<(&'static str, &'static str)>) -> Self {
        Self { environment, ..self }
    }

    /// In a namespace whose name starts with `label`.
    #[must_use]
    pub fn label(self, label: &'static str) -> Self {
        Self { label, ..self }
    }

    /// In the namespace of this name, which exists.
    #[must_use]
    pub fn in_namespace(self, name: &'static str) -> Self {
        Self { namespace: Some(name), ..self }
    }

    /// With these keys of the sidecar's configuration, as `onceway --print-default-config` shows them.
    #[must_use]
    pub fn config(self, config: Value) -> Self {
        Self { config, ..self }
    }

    /// With senders authenticated as configured, which is on by default. Other rigs authenticate nobody, because they are
    /// about other things.
    #[must_use]
    pub fn with_auth(self) -> Self {
        Self { auth: true, ..self }
    }

    /// With no other configuration than the one that is set: for a program that does not know every key. Other rigs have no
    /// budgets but those that are set, because they are about other things.
    #[must_use]
    pub fn as_configured(self) -> Self {
        Self { as_configured: true, ..self }
    }

    /// With timeouts in the replicas and in Envoy that no loaded machine reaches (30 s for a request, 15 s for an API
    /// call), so that a slow machine causes no 503: for tests that hold calls, or that count responses or API calls
    /// exactly. Envoy notices a replica that hangs late, and one that is gone as fast as by default.
    #[must_use]
    pub fn with_long_timeouts(self) -> Self {
        Self { long_timeouts: true, ..self }
    }

    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// If something cannot be found, built or started, or is not ready in time; the error shows its last lines.
    pub async fn start(mut self) -> Result<Rig> {
        if self.long_timeouts {
            self.config["limits"]["deadline"] = json!("30s");
            self.config["limits"]["apiCallTimeout"] = json!("15s");
            // At least the time that a request may take.
            self.config["shutdown"]["drainTimeout"] = json!("60s");
        }
        if !self.as_configured {
            open_up(&mut self.config, self.auth);
        }
        let listen = self.listen()?;
        let program = tokio::task::spawn_blocking(self.program).await??;
        let scratch = Scratch::new("rig")?;
        let cluster = match self.cluster {
            Some(cluster) => cluster,
            None if self.own_cluster => Cluster::start().await?,
            None if self.our_crd => Cluster::shared_with_our_crd().await?,
            None => Cluster::shared().await?,
        };
        let namespace = match self.namespace {
            Some(name) => cluster.existing_namespace(name).await?,
            None if self.config["migration"]["kubernautLocks"] == true => {
                cluster.namespace(deploy::BESIDE_KUBERNAUT).await?
            }
            None => cluster.namespace(self.label).await?,
        };
        if self.config["duplicates"] == "skip" {
            // The admission policy allows it only there.
            namespace.label("onceway.io/duplicates", "skip").await?;
        }
        if Config::parse(&self.config.to_string()).is_ok_and(|config| config.scope.label.is_some()) {
            // As the chart does.
            namespace.grant("scope", &SCOPE_RIGHTS).await?;
        }
        let record = if self.bodies { Record::new() } else { Record::without_bodies() };
        let (mut proxies, mut sidecars) = (Vec::new(), Vec::new());
        for (replica, listen) in listen.into_iter().enumerate() {
            let name = format!("onceway-{replica}");
            if self.fault_proxies {
                proxies.push(FaultProxy::start(&cluster, &name, &record).await?);
            }
            let api_url = proxies.last().map_or_else(|| cluster.url(), FaultProxy::url);
            let (program, config) = (program.clone(), self.config.clone());
            let clock = if self.clocks { Some(Clock::start(scratch.path(), &name).await?) } else { None };
            let environment = self.environment.clone();
            let (name, dir, api_url) = (name.as_str(), scratch.path(), api_url.as_str());
            let settings = Settings { name, program, dir, api_url, config, listen, clock, environment };
            sidecars.push(Sidecar::start(&namespace, settings)?);
        }
        try_join_all(sidecars.iter().map(Sidecar::until_ready)).await?;
        try_join_all(sidecars.iter().map(Sidecar::until_in_sync)).await?;
        let envoy = match self.envoy {
            Some(edit) => {
                let edit: Edit = Box::new(move |config| {
                    if self.long_timeouts {
                        lengthen_timeouts(config);
                    }
                    edit(config);
                });
                Some(start_envoy(&scratch, &sidecars, edit).await?)
            }
            None => None,
        };
        Ok(Rig { envoy, sidecars, proxies, record, namespace, client: Client::new(), scratch })
    }
}

impl RigBuilder {
    fn listen(&self) -> Result<Vec<Listen>> {
        match self.pods {
            Some(network) => (0..self.replicas).map(|_| Listen::reserve_in(network)).collect(),
            None => (0..self.replicas).map(|_| Listen::reserve()).collect(),
        }
    }
}

/// Authenticates nobody unless `auth`, and lifts the budgets that are not set.
fn open_up(config: &mut Value, auth: bool) {
    if !auth {
        config["auth"] = json!({ "mode": "none" });
    }
    for budget in ["maxActiveIncidents", "maxActiveIncidentsPerNamespace", "maxNewIncidentsPerMinute"] {
        if config["limits"][budget].is_null() {
            config["limits"][budget] = json!(0);
        }
    }
}

async fn start_envoy(scratch: &Scratch, sidecars: &[Sidecar], edit: Edit) -> Result<Envoy> {
    let wasm = tokio::task::spawn_blocking(built::filter::path).await??;
    let upstream = |sidecar: &Sidecar| Upstream { signals: sidecar.signals(), health: sidecar.health() };
    let upstreams: Vec<Upstream> = sidecars.iter().map(upstream).collect();
    Envoy::start_edited(scratch.path(), &wasm, &upstreams, Port::reserve()?, edit).await
}
