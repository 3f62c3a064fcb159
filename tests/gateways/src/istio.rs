//! Istio: the real istiod, and its agent with the Envoy that it runs, as in an ingress gateway's pod.
//!
//! A user has Istio installed with an ingress gateway; Helm adds the rest. So istiod and the gateway's pod are the rig's own, and
//! everything else comes from the chart.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use onceway_kit::cluster::Cluster;
use onceway_kit::envoy::Upstream;
use onceway_kit::service::Service;
use serde_json::{Value, json};

use self::control_plane::ControlPlane;
use self::ingress::Ingress;
pub use self::names::RouteApi;
use self::names::{GATEWAY, PORT, SYSTEM};
use crate::endpoints;
use crate::gateway::{Gateway, until_replicas};
use crate::isolation::{self, PODS};
use crate::manifests::apply;
use crate::site::{NAMESPACE, RELEASE, Site};

mod control_plane;
mod ingress;
mod names;
mod objects;

/// Istio with an ingress gateway.
pub struct Istio {
    // Dropped before the control plane, to which it would reconnect.
    ingress: Ingress,
    control_plane: ControlPlane,
    cluster: Arc<Cluster>,
}

impl Istio {
    /// Installs Istio, and starts istiod and an ingress gateway without a route. Waits until Envoy has its configuration.
    ///
    /// # Errors
    /// If this thread is not on an isolated network, or a program can neither be found nor built, or does not start in time; the error
    /// shows its last lines.
    pub async fn start(site: &Site, api: RouteApi) -> Result<Self> {
        isolation::require()?;
        let cluster = Arc::clone(&site.cluster);
        for namespace in [SYSTEM, NAMESPACE] {
            apply(&cluster.client()?, &objects::namespace(namespace)).await?;
        }
        let control_plane = ControlPlane::start(&cluster, site.dir(), api).await?;
        let ingress = Ingress::start(&cluster, site.dir(), control_plane.discovery(), api).await?;
        if api == RouteApi::Kubernetes {
            for object in objects::gateway() {
                apply(&cluster.client()?, &object).await?;
            }
        }
        Ok(Self { ingress, control_plane, cluster })
    }

    /// Istio's agent, whose child Envoy is: both end together.
    pub fn agent(&self) -> &Service {
        self.ingress.service()
    }

    /// istiod.
    pub fn control_plane(&self) -> &Service {
        self.control_plane.service()
    }

    async fn send_to(&self, replicas: &[Upstream]) -> Result<()> {
        endpoints::set(&self.cluster.client()?, NAMESPACE, RELEASE, replicas).await?;
        let host = format!("{RELEASE}.{NAMESPACE}.svc.cluster.local");
        until_replicas(&self.admin_url(), &format!("outbound|{}||{host}", PODS.signals), replicas).await
    }
}

/// The chart's values for the gateway of the rig.
pub fn values(api: RouteApi) -> Value {
    match api {
        RouteApi::Istio => json!({ "istio": { "gateway": { "namespace": SYSTEM } } }),
        RouteApi::Kubernetes => json!({ "istio": {
            "api": "gatewayAPI",
            // One that istiod does not deploy.
            "gateway": { "create": false, "name": GATEWAY, "namespace": SYSTEM },
            // As on a gateway that others share.
            "listenerSettings": false,
        } }),
    }
}

impl Gateway for Istio {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{PORT}")
    }

    fn admin_url(&self) -> String {
        self.ingress.admin_url()
    }

    fn set_replicas<'a>(&'a self, replicas: &'a [Upstream]) -> LocalBoxFuture<'a, Result<()>> {
        self.send_to(replicas).boxed_local()
    }

    /// Nothing: istiod reads what Helm has made, and the gateway's pod is not of the release.
    fn installed<'a>(&'a self, _module: &'a Path) -> LocalBoxFuture<'a, Result<()>> {
        futures::future::ready(Ok(())).boxed_local()
    }

    /// Replaces the gateway's pod. The agent tries again by itself only when it connects to istiod, or when the EnvoyFilter changes.
    fn fetch_again(&self) -> LocalBoxFuture<'_, Result<()>> {
        self.ingress.restart().boxed_local()
    }
}
