//! What a user of Istio has before the chart is installed.

use serde_json::{Value, json};

use super::names::{GATEWAY, PORT, SYSTEM};

/// A namespace.
pub(super) fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

/// A gateway of the Kubernetes Gateway API for routes of all namespaces, and the Service of its pods. Of Istio's own API the chart
/// makes the gateway: there it is a part of the configuration alone.
pub(super) fn gateway() -> [Value; 2] {
    [service(), kubernetes_gateway()]
}

fn kubernetes_gateway() -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": { "name": GATEWAY, "namespace": SYSTEM },
        "spec": {
            "gatewayClassName": "istio",
            // An address makes it a gateway whose pods are there already: istiod deploys none.
            "addresses": [{ "type": "Hostname", "value": format!("{GATEWAY}-istio.{SYSTEM}.svc.cluster.local") }],
            "listeners": [{
                "name": "http",
                "port": PORT,
                "protocol": "HTTP",
                "allowedRoutes": { "namespaces": { "from": "All" } },
            }],
        },
    })
}

/// The Service of the Kubernetes gateway's pods.
fn service() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": format!("{GATEWAY}-istio"), "namespace": SYSTEM },
        "spec": {
            "selector": { "gateway.networking.k8s.io/gateway-name": GATEWAY },
            "ports": [{ "name": "http", "port": PORT, "appProtocol": "http" }],
        },
    })
}
