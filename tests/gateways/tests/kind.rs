//! The columns of the table.

use std::path::Path;

use anyhow::Result;
use onceway_gateways::envoy_gateway::{self, EnvoyGateway};
use onceway_gateways::gateway::Gateway;
use onceway_gateways::istio::{self, Istio, RouteApi};
use onceway_gateways::plain::{self, Plain};
use onceway_gateways::site::Site;
use serde_json::Value;

use crate::checks::Check;

/// A kind of gateway.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Plain,
    EnvoyGateway,
    Istio,
    /// Istio with the Kubernetes Gateway API, and without settings of the listener.
    IstioKubernetes,
}

/// All kinds, in the order of the table.
pub(crate) const GATEWAYS: [Kind; 4] = [Kind::Plain, Kind::EnvoyGateway, Kind::Istio, Kind::IstioKubernetes];

/// What runs side by side; in each lane one after another. They take about the same time.
pub(crate) const LANES: [&[Kind]; 3] = [&[Kind::Istio], &[Kind::EnvoyGateway], &[Kind::Plain, Kind::IstioKubernetes]];

impl Kind {
    /// For people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Plain => "plain Envoy",
            Self::EnvoyGateway => "Envoy Gateway",
            Self::Istio => "Istio",
            Self::IstioKubernetes => "Istio, Gateway API",
        }
    }

    /// The heading of its section in the installation's page.
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::Plain => "Plain Envoy",
            Self::IstioKubernetes => Self::Istio.title(),
            other => other.title(),
        }
    }

    /// In the names of tests.
    pub(crate) const fn module(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::EnvoyGateway => "envoy_gateway",
            Self::Istio => "istio",
            Self::IstioKubernetes => "istio_gateway_api",
        }
    }

    /// The chart's `gateway.kind`.
    pub(crate) const fn value(self) -> &'static str {
        match self {
            Self::Plain => "envoy",
            Self::EnvoyGateway => "envoyGateway",
            Self::Istio | Self::IstioKubernetes => "istio",
        }
    }

    /// Starts the gateway that the release is installed into, without replicas.
    pub(crate) async fn start(self, site: &Site, module: &Path) -> Result<Box<dyn Gateway>> {
        Ok(match self {
            Self::Plain => Box::new(Plain::start(site, module).await?),
            Self::EnvoyGateway => Box::new(EnvoyGateway::start(site).await?),
            Self::Istio => Box::new(Istio::start(site, RouteApi::Istio).await?),
            Self::IstioKubernetes => Box::new(Istio::start(site, RouteApi::Kubernetes).await?),
        })
    }

    /// The chart's values for the gateway as it runs here, below `gateway`.
    pub(crate) fn values(self) -> Value {
        match self {
            Self::Plain => plain::values(),
            Self::EnvoyGateway => envoy_gateway::values(),
            Self::Istio => istio::values(RouteApi::Istio),
            Self::IstioKubernetes => istio::values(RouteApi::Kubernetes),
        }
    }

    /// Whether it runs a check. Istio with routes of the Kubernetes Gateway API differs from Istio in the route alone, so the checks of
    /// what is the same are left out.
    pub(crate) fn runs(self, check: &Check) -> bool {
        self != Self::IstioKubernetes || check.depends_on_route
    }

    /// Whether the gateway fetches the module from a registry. Plain Envoy has it from the sidecar's image.
    pub(crate) const fn fetches(self) -> bool {
        !matches!(self, Self::Plain)
    }
}
