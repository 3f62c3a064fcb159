//! Envoy Gateway: its control plane, and the Envoy that it configures.
//!
//! The control plane reads its objects from the API server, and makes a Deployment of Envoy. A kubelet would start that; here
//! [`container`](crate::container) does. Both run as in their containers, at their fixed ports: one of them in a network
//! ([`isolation`]).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Api, Client as Kube};
use onceway_kit::client::Client;
use onceway_kit::cluster::Cluster;
use onceway_kit::envoy::Upstream;
use onceway_kit::poll;
use onceway_kit::ports::Port;
use onceway_kit::service::Service;
use onceway_tools::Tool;
use serde_json::{Value, json};

use crate::container::Prepared;
use crate::gateway::{Gateway, until_replicas};
use crate::isolation;
use crate::site::{NAMESPACE, RELEASE, Site};
use crate::{endpoints, manifests};

use self::control_plane::ControlPlane;

mod control_plane;
mod objects;
mod policies;

pub use self::policies::Condition;

/// Where Envoy serves its admin interface and its readiness.
const ADMIN: &str = "http://127.0.0.1:19000";
const READY: &str = "http://127.0.0.1:19003/ready";
/// How long the control plane may take for a Deployment, and then Envoy to have listeners.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A running Envoy Gateway with one Gateway.
pub struct EnvoyGateway {
    // In the order in which they end.
    _envoy: Service,
    control_plane: ControlPlane,
    cluster: Arc<Cluster>,
    listener: Port,
}

impl EnvoyGateway {
    /// Installs Envoy Gateway, without the chart, and starts it and the Envoy of one Gateway. Waits until Envoy is ready.
    ///
    /// # Errors
    /// If this thread is not on an isolated network, something cannot be found, built or started, or is not ready in time.
    pub async fn start(site: &Site) -> Result<Self> {
        isolation::require()?;
        let kube = site.cluster.client()?;
        let program = tokio::task::spawn_blocking(|| Tool::EnvoyGateway.get()).await??;
        let definitions = objects::definitions(&site.helm, &program).await?;
        manifests::apply_definitions(&kube, &definitions).await.context("Envoy Gateway's CRDs")?;
        let control_plane = ControlPlane::start(site, &program).await?;
        let listener = Port::reserve()?;
        for object in objects::gateway(listener.number()) {
            manifests::apply(&kube, &object).await?;
        }
        let envoy = start_envoy(&kube, &control_plane, site.dir()).await?;
        Ok(Self { _envoy: envoy, control_plane, cluster: Arc::clone(&site.cluster), listener })
    }

    /// The control plane's process.
    pub fn control_plane(&self) -> &Service {
        self.control_plane.service()
    }

    /// What the control plane says about the chart's policies.
    ///
    /// # Errors
    /// If the API server does not respond.
    pub async fn conditions(&self) -> Result<Vec<Condition>> {
        policies::conditions(&self.cluster.client()?).await
    }

    async fn send_to(&self, replicas: &[Upstream]) -> Result<()> {
        endpoints::set(&self.cluster.client()?, NAMESPACE, RELEASE, replicas).await?;
        // The chart's route has one rule.
        until_replicas(ADMIN, &format!("httproute/{NAMESPACE}/{RELEASE}/rule/0"), replicas).await
    }
}

impl Gateway for EnvoyGateway {
    fn url(&self) -> String {
        format!("http://{}", self.listener.addr())
    }

    fn admin_url(&self) -> String {
        ADMIN.to_owned()
    }

    fn set_replicas<'a>(&'a self, replicas: &'a [Upstream]) -> LocalBoxFuture<'a, Result<()>> {
        self.send_to(replicas).boxed_local()
    }

    fn installed<'a>(&'a self, _module: &'a Path) -> LocalBoxFuture<'a, Result<()>> {
        // The chart has no workload of its own here: the control plane watches what was installed.
        async { Ok(()) }.boxed_local()
    }
}

/// The chart's values for the Gateway of the rig.
pub fn values() -> Value {
    json!({ "envoyGateway": { "gateway": objects::reference() } })
}

/// Starts the Envoy of the Deployment that the control plane makes for the Gateway.
async fn start_envoy(kube: &Kube, control_plane: &ControlPlane, dir: &Path) -> Result<Service> {
    let found =
        deployment(kube).await.map_err(|error| control_plane.failure(&format!("made no Deployment: {error:#}")))?;
    let container = Prepared::new(kube, &found, "envoy", dir).await?;
    let container = container.bind(&control_plane.hosts(), Path::new("/etc/hosts"))?;
    let program = tokio::task::spawn_blocking(|| Tool::Envoy.get()).await??;
    let envoy = Service::start("envoy", dir, move || container.command(&program))?;
    let client = Client::new();
    let ready = async || client.get(READY).await.is_ok_and(|response| response.status.is_success());
    envoy.process()?.until_ready(READY_LIMIT, ready).await?;
    Ok(envoy)
}

/// Its name has a hash, so that it is found by its labels.
async fn deployment(kube: &Kube) -> Result<Deployment> {
    let deployments = Api::<Deployment>::namespaced(kube.clone(), control_plane::NAMESPACE);
    let of_gateway = ListParams::default().labels(&objects::labels());
    poll::until(READY_LIMIT, "a Deployment of Envoy", async || Ok(deployments.list(&of_gateway).await?.items.pop()))
        .await
}
