//! The three gateways that can run the filter, each with its real control plane, in front of real sidecars.
//!
//! | module | what it is |
//! |---|---|
//! | [`gateway`] | what the checks need of a gateway |
//! | [`plain`] | plain Envoy, as the chart's Deployment |
//! | [`site`] | a cluster, a registry and Helm: what a gateway is installed into |
//! | [`envoy_gateway`] | Envoy Gateway and the Envoy that it configures |
//! | [`istio`] | Istio: istiod, and its agent with the Envoy that it runs |
//! | [`isolation`], [`mounts`] | networks and files of their own for programs that expect a container |
//! | [`manifests`], [`endpoints`], [`container`] | what `kubectl`, the endpoints' controller and a kubelet do elsewhere |
//!
//! There are no nodes: Helm installs the chart into a real API server, the control planes read from there what it made, and
//! what a node would start is started here, with the configuration that is in the cluster.

pub mod container;
pub mod endpoints;
pub mod envoy_gateway;
pub mod gateway;
pub mod isolation;
pub mod istio;
pub mod manifests;
pub mod mounts;
pub mod plain;
pub mod site;
