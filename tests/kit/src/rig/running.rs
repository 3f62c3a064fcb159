//! A running rig and its parts.

use std::path::Path;

use anyhow::Result;
use onceway_signal::Source;

use crate::client::{Client, ClientResponse};
use crate::cluster::{Cluster, Namespace};
use crate::envoy::Envoy;
use crate::fault_proxy::{FaultProxy, Record};
use crate::payload::Incident;
use crate::scratch::Scratch;
use crate::sidecar::Sidecar;
use crate::storm::Storm;

/// A running system. Dropping it ends everything except a shared cluster.
pub struct Rig {
    // In the order in which they are dropped.
    pub(super) envoy: Option<Envoy>,
    pub(super) sidecars: Vec<Sidecar>,
    pub(super) proxies: Vec<FaultProxy>,
    pub(super) record: Record,
    pub(super) namespace: Namespace,
    pub(super) client: Client,
    pub(super) scratch: Scratch,
}

impl Rig {
    /// The fault proxy between replica `n` and the API server.
    ///
    /// # Panics
    /// If the rig has none.
    pub fn proxy(&self, n: usize) -> &FaultProxy {
        &self.proxies[n]
    }

    /// Replica `n`. Its name in the record and in leases is `onceway-<n>`.
    pub fn sidecar(&self, n: usize) -> &Sidecar {
        &self.sidecars[n]
    }

    /// All replicas.
    pub fn sidecars(&self) -> &[Sidecar] {
        &self.sidecars
    }

    /// The Envoy in front of the replicas.
    ///
    /// # Panics
    /// If the rig has none.
    pub fn envoy(&self) -> &Envoy {
        self.envoy.as_ref().expect("a rig has an Envoy only with_envoy()")
    }

    /// The history of all calls of all replicas to the API server; empty without fault proxies.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The rig's own namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The API server and its etcd. Stop, freeze or kill them only in a rig with
    /// [`own_cluster`](super::RigBuilder::own_cluster).
    pub fn cluster(&self) -> &Cluster {
        self.namespace.cluster()
    }

    /// An HTTP client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The directory with the logs and the configurations of Envoy and the sidecars.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// Sends the `n`-th alert of an incident to a replica.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn alert(&self, replica: usize, incident: &Incident, n: u64) -> Result<ClientResponse> {
        self.client.clone().alert(self.sidecar(replica).url(), incident.webhook(n)).await
    }

    /// The same rig, with a client and storms that send this token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { client: self.client.with_token(token), ..self }
    }

    /// A storm about these incidents: through Envoy if there is one, else over the replicas at random.
    pub fn storm(&self, incidents: Vec<Incident>) -> Storm {
        match &self.envoy {
            Some(envoy) => self.storm_at(vec![envoy.url()], incidents),
            None => self.storm_without_affinity(incidents),
        }
    }

    /// A storm over the replicas at random, bypassing Envoy.
    pub fn storm_without_affinity(&self, incidents: Vec<Incident>) -> Storm {
        self.storm_at(self.sidecars.iter().map(Sidecar::url).collect(), incidents)
    }

    fn storm_at(&self, urls: Vec<String>, incidents: Vec<Incident>) -> Storm {
        let storm = Storm::new(urls, incidents);
        match self.client.token() {
            Some(token) => storm.token(token),
            None => storm,
        }
    }
}

impl Client {
    /// Sends an Alertmanager webhook to `base`. Owns its arguments, so that it can be spawned.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn alert(self, base: String, webhook: String) -> Result<ClientResponse> {
        self.signal(&base, Source::Prometheus, webhook).await
    }
}
