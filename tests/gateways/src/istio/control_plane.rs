//! istiod.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use onceway_kit::client::Client;
use onceway_kit::cluster::Cluster;
use onceway_kit::helm::Helm;
use onceway_kit::ports::Port;
use onceway_kit::service::Service;
use onceway_tools::Tool;
use serde_json::json;

use super::names::{RouteApi, SYSTEM};
use crate::manifests::apply_definitions;

/// How long istiod may take to be ready; two seconds on a machine that does nothing else.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A running istiod.
pub(super) struct ControlPlane {
    service: Service,
    discovery: Port,
    // They stay reserved.
    _others: [Port; 3],
}

impl ControlPlane {
    /// Applies Istio's CRDs and starts istiod, with its files in `dir`.
    pub(super) async fn start(cluster: &Cluster, dir: &Path, api: RouteApi) -> Result<Self> {
        let program = tokio::task::spawn_blocking(|| Tool::PilotDiscovery.get()).await??;
        apply_crds(cluster, dir, &program, api).await?;

        let (discovery, http) = (Port::reserve()?, Port::reserve()?);
        let (plaintext, webhooks) = (Port::reserve()?, Port::reserve()?);
        let ready = format!("http://{}/ready", http.addr());
        let home = dir.join("istiod");
        fs::create_dir_all(&home)?;
        let arguments = [
            format!("--kubeconfig={}", write(&home, "kubeconfig", &cluster.admin_kubeconfig("default"))?.display()),
            format!("--meshConfig={}", write(&home, "mesh.yaml", &mesh())?.display()),
            format!("--secureGRPCAddr={}", discovery.addr()),
            format!("--httpAddr={}", http.addr()),
            format!("--grpcAddr={}", plaintext.addr()),
            format!("--httpsAddr={}", webhooks.addr()),
            // Its metrics are served with the rest of HTTP.
            "--monitoringAddr=".to_owned(),
            "--ctrlz_address=127.0.0.1".to_owned(),
            "--ctrlz_port=0".to_owned(),
        ];
        let service = Service::start("istiod", dir, move || {
            let mut istiod = Command::new(&program);
            istiod.arg("discovery").args(&arguments).current_dir(&home).envs(ENVIRONMENT);
            istiod
        })?;
        let client = Client::new();
        let is_ready = async || client.get(&ready).await.is_ok_and(|response| response.status.is_success());
        service.process()?.until_ready(READY_LIMIT, is_ready).await?;
        Ok(Self { service, discovery, _others: [http, plaintext, webhooks] })
    }

    /// Where agents ask for configuration and certificates.
    pub(super) fn discovery(&self) -> &Port {
        &self.discovery
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }
}

const ENVIRONMENT: [(&str, &str); 7] = [
    ("POD_NAMESPACE", SYSTEM),
    ("POD_NAME", "istiod"),
    // No API server calls it: no pods are created.
    ("INJECTION_WEBHOOK_CONFIG_NAME", ""),
    ("VALIDATION_WEBHOOK_CONFIG_NAME", ""),
    // Extensions of Istio's own Envoy, which the upstream one rejects together with the cluster or listener that has them.
    ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
    ("PILOT_ENABLE_ALPN_FILTER", "false"),
    // It would ask the metadata services of clouds.
    ("CLOUD_PLATFORM", "none"),
];

/// The mesh's configuration: without the telemetry that is an extension of Istio's own Envoy.
fn mesh() -> String {
    json!({ "rootNamespace": SYSTEM, "trustDomain": "cluster.local", "defaultProviders": {} }).to_string()
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

async fn apply_crds(cluster: &Cluster, dir: &Path, istiod: &Path, api: RouteApi) -> Result<()> {
    let client = cluster.client()?;
    let crds = istiod.with_file_name("crds.yaml");
    let crds = fs::read_to_string(&crds).with_context(|| format!("cannot read {}", crds.display()))?;
    apply_definitions(&client, &crds).await?;
    if api == RouteApi::Kubernetes {
        apply_definitions(&client, &kubernetes_crds(cluster, dir).await?).await?;
    }
    Ok(())
}

/// The CRDs of the Kubernetes Gateway API, which Envoy Gateway's chart contains.
async fn kubernetes_crds(cluster: &Cluster, dir: &Path) -> Result<String> {
    let chart = tokio::task::spawn_blocking(|| Tool::EnvoyGateway.get()).await??.with_file_name("crds");
    let chart = chart.to_str().context("a cache at a path that is no UTF-8")?;
    let helm = Helm::new(cluster, dir)?;
    helm.run(&["template", "crds", chart, "--set", "crds.gatewayAPI.enabled=true,crds.gatewayAPI.channel=standard"])
        .await
}
