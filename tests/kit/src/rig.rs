//! All of it in one go: a namespace, a fault proxy and a sidecar per replica, and Envoy before them if wanted.
//!
//! ```no_run
//! # async fn a_test() -> anyhow::Result<()> {
//! use onceway_kit::fault_proxy::{Fault, RRS, Rule, Verb};
//! use onceway_kit::payload::Incident;
//! use onceway_kit::rig::{Rig, RrExt};
//!
//! let rig = Rig::replicas(3).start().await?;
//! let incident = Incident::new("prod", "payment-api");
//!
//! // Replica 0's CREATE is held at the API server's door.
//! let hold = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
//! let url = rig.sidecar(0).url();
//! let held = tokio::spawn(rig.client().clone().alert(url, incident.webhook(0)));
//! hold.reached().await;
//!
//! // Another replica takes over; then the late CREATE goes on.
//! assert_eq!(rig.alert(1, &incident, 1).await?.status, 201);
//! hold.release();
//! assert_eq!(held.await??.status, 202);
//! let rrs = rig.rrs_of(&incident).await?;
//! assert_eq!((rrs.len(), rrs[0].count()), (1, 2));
//!
//! // A storm over the replicas at random, or through Envoy where the rig has one.
//! let report = rig.storm(vec![incident]).signals(100).run().await;
//! rig.verdict(&report).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Rigs share one API server, each in a namespace of its own; a test that stops, freezes or kills the API server or etcd
//! asks for [`RigBuilder::own_cluster`]. `rig.record()` is the history of all API calls, by replica.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use futures::future::try_join_all;
use onceway_signal::Source;
use serde_json::{Value, json};

use crate::built;
use crate::client::{Answer, Client};
use crate::clock::Clock;
use crate::cluster::{Cluster, Namespace};
use crate::envoy::{Envoy, Upstream, lengthen_timeouts};
use crate::fault_proxy::{FaultProxy, Record};
use crate::payload::Incident;
use crate::ports::Port;
use crate::scratch::Scratch;
use crate::sidecar::{Settings, Sidecar};
use crate::storm::Storm;

mod rrs;
mod verdict;

pub use self::rrs::{Rr, RrExt};
pub use self::verdict::{IncidentVerdict, Verdict};

/// A running system. All of it ends when it is dropped, but the cluster that it may share.
pub struct Rig {
    // In the order in which they end.
    envoy: Option<Envoy>,
    sidecars: Vec<Sidecar>,
    proxies: Vec<FaultProxy>,
    record: Record,
    namespace: Namespace,
    client: Client,
    scratch: Scratch,
}

/// Changes Envoy's configuration.
type Edit = Box<dyn FnOnce(&mut Value) + Send>;

/// What a rig is to consist of.
pub struct RigBuilder {
    replicas: usize,
    envoy: Option<Edit>,
    cluster: Option<Arc<Cluster>>,
    own_cluster: bool,
    fault_proxies: bool,
    clocks: bool,
    bodies: bool,
    long_timeouts: bool,
    program: fn() -> Result<PathBuf>,
    environment: Vec<(&'static str, &'static str)>,
    label: &'static str,
    config: Value,
}

impl Rig {
    /// A rig of so many sidecars, to be started by [`RigBuilder::start`].
    pub fn replicas(replicas: usize) -> RigBuilder {
        RigBuilder {
            replicas,
            envoy: None,
            cluster: None,
            own_cluster: false,
            fault_proxies: true,
            clocks: false,
            bodies: true,
            long_timeouts: false,
            program: built::sidecar,
            environment: Vec::new(),
            label: "rig",
            config: json!({}),
        }
    }

    /// The fault proxy between replica `n` and the API server.
    ///
    /// # Panics
    /// If the rig was started without them.
    pub fn proxy(&self, n: usize) -> &FaultProxy {
        &self.proxies[n]
    }

    /// Replica `n`. Its name, in the record and in leases, is `onceway-<n>`.
    pub fn sidecar(&self, n: usize) -> &Sidecar {
        &self.sidecars[n]
    }

    /// All replicas.
    pub fn sidecars(&self) -> &[Sidecar] {
        &self.sidecars
    }

    /// The Envoy before the replicas.
    ///
    /// # Panics
    /// If the rig was started without one.
    pub fn envoy(&self) -> &Envoy {
        self.envoy.as_ref().expect("the rig has an Envoy only where with_envoy() asks for it")
    }

    /// The history of all calls of all replicas to the API server; empty without fault proxies.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The rig's own namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The API server and its etcd. Stop, freeze or kill them only with [`RigBuilder::own_cluster`].
    pub fn cluster(&self) -> &Cluster {
        self.namespace.cluster()
    }

    /// An HTTP client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The directory with the logs and the configurations of Envoy and the sidecars.
    pub fn dir(&self) -> &std::path::Path {
        self.scratch.path()
    }

    /// Sends the `n`-th alert of an incident to a replica.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn alert(&self, replica: usize, incident: &Incident, n: u64) -> Result<Answer> {
        self.client.clone().alert(self.sidecar(replica).url(), incident.webhook(n)).await
    }

    /// A storm about these incidents: through Envoy where there is one, else over the replicas at random.
    pub fn storm(&self, incidents: Vec<Incident>) -> Storm {
        match &self.envoy {
            Some(envoy) => Storm::new(vec![envoy.url()], incidents),
            None => self.storm_without_affinity(incidents),
        }
    }

    /// A storm over the replicas at random, past Envoy.
    pub fn storm_without_affinity(&self, incidents: Vec<Incident>) -> Storm {
        Storm::new(self.sidecars.iter().map(Sidecar::url).collect(), incidents)
    }
}

impl Client {
    /// Sends an Alertmanager webhook to `base`. Owns all that it needs, so that it can be spawned.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn alert(self, base: String, webhook: String) -> Result<Answer> {
        self.signal(&base, Source::Prometheus, webhook).await
    }
}

impl RigBuilder {
    /// With Envoy and the filter before the replicas.
    #[must_use]
    pub fn with_envoy(self) -> Self {
        self.with_envoy_edited(|_| {})
    }

    /// With Envoy and the filter before the replicas, and a configuration that `edit` has changed.
    #[must_use]
    pub fn with_envoy_edited(self, edit: impl FnOnce(&mut Value) + Send + 'static) -> Self {
        Self { envoy: Some(Box::new(edit)), ..self }
    }

    /// With an API server and etcd of its own, which the test may stop, freeze and kill. Costs about three seconds.
    #[must_use]
    pub fn own_cluster(self) -> Self {
        Self { own_cluster: true, ..self }
    }

    /// In this cluster.
    #[must_use]
    pub fn in_cluster(self, cluster: Arc<Cluster>) -> Self {
        Self { cluster: Some(cluster), ..self }
    }

    /// With the replicas straight at the API server: no fault proxy in what is measured, and no record of calls either.
    #[must_use]
    pub fn without_fault_proxies(self) -> Self {
        Self { fault_proxies: false, ..self }
    }

    /// With a wall clock of its own for each replica, which the test may set.
    #[must_use]
    pub fn with_clocks(self) -> Self {
        Self { clocks: true, ..self }
    }

    /// With a record that does not keep what calls send: for hundreds of thousands of them.
    #[must_use]
    pub fn without_bodies(self) -> Self {
        Self { bodies: false, ..self }
    }

    /// With this program in the place of each sidecar.
    #[must_use]
    pub fn of(self, program: fn() -> Result<PathBuf>) -> Self {
        Self { program, ..self }
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

    /// With these keys of the sidecar's configuration, as `onceway --print-default-config` shows them.
    #[must_use]
    pub fn config(self, config: Value) -> Self {
        Self { config, ..self }
    }

    /// With timeouts in the replicas and in Envoy that no loaded machine reaches (30 s for a request, 15 s for an API call),
    /// so that a slow machine causes no 503: for tests that hold calls, or that count responses or API calls exactly. A
    /// replica that hangs is noticed late; one that is gone, as soon as ever.
    #[must_use]
    pub fn with_long_timeouts(self) -> Self {
        Self { long_timeouts: true, ..self }
    }

    /// Starts everything and waits until it is ready.
    ///
    /// # Errors
    /// If a part cannot be had, built or started, or is not ready in time; the error shows its last lines.
    pub async fn start(mut self) -> Result<Rig> {
        if self.long_timeouts {
            self.config["limits"]["deadline"] = json!("30s");
            self.config["limits"]["apiCallTimeout"] = json!("15s");
            // At least what a request may take.
            self.config["shutdown"]["drainTimeout"] = json!("60s");
        }
        let program = tokio::task::spawn_blocking(self.program).await??;
        let scratch = Scratch::new("rig")?;
        let cluster = match self.cluster {
            Some(cluster) => cluster,
            None if self.own_cluster => Cluster::start().await?,
            None => Cluster::shared().await?,
        };
        let namespace = cluster.namespace(self.label).await?;
        let record = if self.bodies { Record::new() } else { Record::without_bodies() };
        let (mut proxies, mut sidecars) = (Vec::new(), Vec::new());
        for replica in 0..self.replicas {
            let name = format!("onceway-{replica}");
            if self.fault_proxies {
                proxies.push(FaultProxy::start(&cluster, &name, &record).await?);
            }
            let api_url = proxies.last().map_or_else(|| cluster.url(), FaultProxy::url);
            let (program, config) = (program.clone(), self.config.clone());
            let clock = if self.clocks { Some(Clock::start(scratch.path(), &name).await?) } else { None };
            let environment = self.environment.clone();
            let (name, dir, api_url) = (name.as_str(), scratch.path(), api_url.as_str());
            let settings = Settings { name, program, dir, api_url, config, clock, environment };
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

async fn start_envoy(scratch: &Scratch, sidecars: &[Sidecar], edit: Edit) -> Result<Envoy> {
    let wasm = tokio::task::spawn_blocking(built::filter::path).await??;
    let upstream = |sidecar: &Sidecar| Upstream { signals: sidecar.signals(), health: sidecar.health() };
    let upstreams: Vec<Upstream> = sidecars.iter().map(upstream).collect();
    Envoy::start_edited(scratch.path(), &wasm, &upstreams, Port::reserve()?, edit).await
}
