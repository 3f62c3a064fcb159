//! What is called how, and by which API a gateway is described.

/// The namespace that Istio is installed into, with its ingress gateway, as by default.
pub(super) const SYSTEM: &str = "istio-system";
/// The name for which istiod has a certificate.
pub(super) const ISTIOD: &str = "istiod.istio-system.svc";
/// The label `istio` of the gateway's pods.
pub(super) const LABEL: &str = "ingressgateway";
/// The name of the user's gateway of the Kubernetes Gateway API.
pub(super) const GATEWAY: &str = "signals";
/// The port of the gateway, and here of its pod, too.
pub(super) const PORT: u16 = 80;

/// The API of a gateway and its routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteApi {
    /// Istio's own: Gateway and VirtualService.
    Istio,
    /// The Kubernetes Gateway API with the class `istio`: Gateway and HTTPRoute.
    Kubernetes,
}
