//! What a gateway is installed into: a cluster, a registry with the module, and Helm.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use onceway_kit::built;
use onceway_kit::cluster::Cluster;
use onceway_kit::helm::Helm;
use onceway_kit::registry::Registry;
use onceway_kit::scratch::Scratch;
use serde_json::{Value, json};

use crate::isolation::PODS;

/// The namespace of the release. The replicas that take signals are in a namespace of their own.
pub const NAMESPACE: &str = "onceway";
/// The name of the release and so of all objects.
pub const RELEASE: &str = "onceway";
/// The chart of the CRD, below the repository's root.
const CRDS: &str = "deploy/chart-crds";
/// The module's repository in the registry.
pub const MODULE: &str = "onceway-filter";

/// What a gateway is installed into.
pub struct Site {
    /// The API server.
    pub cluster: Arc<Cluster>,
    /// Helm.
    pub helm: Helm,
    /// The registry with the module.
    pub registry: Registry,
    /// The digest of the module in the registry.
    pub digest: String,
    /// The directory for configurations and logs.
    pub scratch: Scratch,
}

impl Site {
    /// Starts an API server with nothing of ours in it, and a registry with the filter's image.
    ///
    /// # Errors
    /// If a program cannot be found, built or started.
    pub async fn start() -> Result<Self> {
        let cluster = Cluster::start_empty().await?;
        let scratch = Scratch::new("gateway")?;
        let registry = Registry::start(scratch.path()).await?;
        let images = tokio::task::spawn_blocking(built::images::path).await??;
        let digest = registry.push(&images.join(MODULE), MODULE).await?;
        let helm = Helm::new(&cluster, scratch.path())?;
        let site = Self { cluster, helm, registry, digest, scratch };
        site.create_namespace(NAMESPACE).await?;
        Ok(site)
    }

    /// Creates a namespace.
    ///
    /// # Errors
    /// If the API server rejects it.
    pub async fn create_namespace(&self, name: &str) -> Result<()> {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        Api::all(self.cluster.client()?).create(&PostParams::default(), &namespace).await?;
        Ok(())
    }

    /// The directory for configurations and logs.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// The chart's values for a gateway of this kind, with the module of this digest.
    pub fn values(&self, kind: &str, digest: &str) -> Value {
        json!({
            "image": { "repository": self.registry.repository("onceway") },
            "filter": { "repository": self.registry.repository(MODULE), "digest": digest },
            "ports": { "signals": PODS.signals, "health": PODS.health, "metrics": PODS.metrics },
            "gateway": { "kind": kind },
        })
    }

    /// Installs the CRD.
    ///
    /// # Errors
    /// If Helm fails.
    pub async fn install_crd(&self) -> Result<String> {
        self.helm.run(&["install", "onceway-crds", CRDS]).await
    }

    /// Installs or upgrades the release.
    ///
    /// # Errors
    /// If Helm fails.
    pub async fn install(&self, values: &Value) -> Result<String> {
        self.helm.apply(RELEASE, NAMESPACE, values).await
    }
}
