//! What a user has in the cluster before the chart is installed: the definitions, a class, and a Gateway that others use, too.

use std::path::Path;

use anyhow::{Context, Result};
use onceway_kit::helm::Helm;
use serde_json::{Value, json};

use crate::site::NAMESPACE;

/// The Gateway, its listener, and the class of both.
const GATEWAY: &str = "edge";
const LISTENER: &str = "http";
const CLASS: &str = "eg";
/// Two, so that tests meet differences between workers.
const WORKERS: u32 = 2;

/// The CRDs of the Gateway API and of Envoy Gateway, as YAML, from the chart beside its program.
pub(super) async fn definitions(helm: &Helm, program: &Path) -> Result<String> {
    let chart = program.with_file_name("crds");
    let chart = chart.to_str().context("a cache at a path that is no UTF-8")?;
    let both = ["--set", "crds.gatewayAPI.enabled=true", "--set", "crds.envoyGateway.enabled=true"];
    helm.run(&[&["template", "crds", chart], &both[..]].concat()).await
}

/// The values of the chart that name the Gateway.
pub(super) fn reference() -> Value {
    json!({ "create": false, "name": GATEWAY, "namespace": NAMESPACE, "listener": LISTENER })
}

/// The labels of the Deployment that is made for it.
pub(super) fn labels() -> String {
    format!(
        "gateway.envoyproxy.io/owning-gateway-name={GATEWAY},gateway.envoyproxy.io/owning-gateway-namespace={NAMESPACE}"
    )
}

/// The class and the Gateway, which listens on this port, in the namespace that the release is for.
pub(super) fn gateway(port: u16) -> [Value; 4] {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    let proxy = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": { "name": GATEWAY, "namespace": NAMESPACE },
        "spec": {
            "concurrency": WORKERS,
            // Hot restart needs an id that no other Envoy of this machine uses.
            "extraArgs": ["--disable-hot-restart"],
            "logging": { "level": { "default": "warn" } },
        },
    });
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": { "name": CLASS },
        "spec": {
            "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
            "parametersRef": {
                "group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": GATEWAY, "namespace": NAMESPACE,
            },
        },
    });
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": { "name": GATEWAY, "namespace": NAMESPACE },
        "spec": {
            "gatewayClassName": CLASS,
            "listeners": [{ "name": LISTENER, "protocol": "HTTP", "port": port }],
        },
    });
    [namespace, proxy, class, gateway]
}
