//! What the endpoints' controller does: the addresses of a Service's pods. There is no such controller here, and no pods.

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client};
use onceway_kit::envoy::Upstream;
use serde_json::{Value, json};

use crate::manifests;

/// Makes these replicas, all ready, the endpoints of a Service.
///
/// # Errors
/// If there is no such Service, the replicas listen on different ports or at loopback addresses, or the API server rejects them.
pub async fn set(client: &Client, namespace: &str, service: &str, replicas: &[Upstream]) -> Result<()> {
    let loopback = replicas.iter().find(|replica| replica.signals.ip().is_loopback());
    if let Some(replica) = loopback {
        anyhow::bail!("no endpoint can be at {}: start the replicas with pods_in(isolation::PODS)", replica.signals);
    }
    let found = Api::<Service>::namespaced(client.clone(), namespace).get(service).await;
    let found = found.with_context(|| format!("no Service {service}: install the release first"))?;
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{service}-replicas"),
            "namespace": namespace,
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "ports": ports(&found, replicas)?,
        "endpoints": replicas.iter().map(|replica| json!({
            "addresses": [replica.signals.ip()],
            "conditions": { "ready": true, "serving": true, "terminating": false },
        })).collect::<Vec<_>>(),
    });
    manifests::apply(client, &slice).await
}

/// The Service's ports as the pods have them.
fn ports(service: &Service, replicas: &[Upstream]) -> Result<Vec<Value>> {
    let Some(first) = replicas.first() else { return Ok(Vec::new()) };
    let same = |replica: &Upstream| {
        (replica.signals.port(), replica.health.port()) == (first.signals.port(), first.health.port())
    };
    ensure!(replicas.iter().all(same), "pods of one Service listen on the same ports: start the replicas with pods_in");
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_ref()).into_iter().flatten();
    let ports = ports.filter_map(|port| {
        let name = port.name.as_deref()?;
        let number = match name {
            "http-signals" => first.signals.port(),
            "http-health" => first.health.port(),
            // Nobody asks a gateway for metrics of the sidecars.
            _ => return None,
        };
        Some(json!({ "name": name, "protocol": "TCP", "port": number, "appProtocol": port.app_protocol }))
    });
    Ok(ports.collect())
}
