//! The pod of an ingress gateway: Istio's agent, and Envoy as its child.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use onceway_kit::client::Client;
use onceway_kit::cluster::Cluster;
use onceway_kit::poll;
use onceway_kit::ports::Port;
use onceway_kit::service::Service;
use onceway_tools::Tool;
use serde_json::{Value, json};

use super::names::{GATEWAY, ISTIOD, LABEL, RouteApi, SYSTEM};
use crate::mounts::Mounts;

/// The ServiceAccount of the gateway's pods.
const ACCOUNT: &str = "ingress";
/// The audience of the token by which an agent gets its certificate and configuration.
const AUDIENCE: &str = "istio-ca";
/// Where istiod puts its root certificate in each namespace.
const ROOT: &str = "istio-ca-root-cert";
/// How long istiod may take to put it there: it has to become the leader first.
const ROOT_LIMIT: Duration = Duration::from_secs(60);
/// How long Envoy may take to have its first configuration.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long the agent may take to end: it gives Envoy `terminationDrainDuration`.
const END_LIMIT: Duration = Duration::from_secs(20);
/// Workers of Envoy: two, so that tests meet differences between workers.
const WORKERS: u32 = 2;

/// A running gateway.
pub(super) struct Ingress {
    service: Service,
    client: Client,
    admin: Port,
}

impl Ingress {
    /// Starts the agent, which gets everything from istiod at `discovery`, and waits until Envoy is ready.
    pub(super) async fn start(cluster: &Cluster, dir: &Path, discovery: &Port, api: RouteApi) -> Result<Self> {
        let agent = tokio::task::spawn_blocking(|| Tool::PilotAgent.get()).await??;
        let envoy = tokio::task::spawn_blocking(|| Tool::Envoy.get()).await??;
        let admin = Port::reserve()?;
        let files = Files::create(dir, &agent, &envoy)?;
        files.write_identity(cluster, api).await?;
        let proxy_config = proxy_config(&files, discovery, &admin);
        let environment = environment(&proxy_config);
        let mounts = Mounts::default().bind(&files.var_lib, Path::new("/var/lib"))?;
        let (home, root) = (files.home.clone(), dir.join("ingress-root"));
        let service = Service::start("ingress", dir, move || {
            // The agent's paths are relative to its directory, but one; entering another root leaves the directory.
            let mut command = mounts.command(&root, Path::new("env"));
            command.arg("--chdir").arg(&home).arg(&agent).args(["proxy", "router", "--proxyLogLevel=warning"]);
            command.arg(format!("--domain={SYSTEM}.svc.cluster.local")).envs(environment.iter().cloned());
            command
        })?;
        let ingress = Self { service, client: Client::new(), admin };
        ingress.until_ready().await?;
        Ok(ingress)
    }

    pub(super) fn admin_url(&self) -> String {
        format!("http://{}", self.admin.addr())
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// Replaces the pod's processes at the same addresses, as after `kubectl rollout restart`, and waits until Envoy is ready.
    pub(super) async fn restart(&self) -> Result<()> {
        self.service.stop(END_LIMIT).await?;
        self.service.restart()?;
        self.until_ready().await
    }

    async fn until_ready(&self) -> Result<()> {
        let url = self.admin_url() + "/ready";
        let ready = async || self.client.get(&url).await.is_ok_and(|response| response.status.is_success());
        self.service.process()?.until_ready(READY_LIMIT, ready).await
    }
}

/// The files of the pod.
struct Files {
    /// The directory that the agent's relative paths start from.
    home: PathBuf,
    /// What is at `/var/lib`: the agent keeps modules below it.
    var_lib: PathBuf,
    bootstrap: PathBuf,
    envoy: PathBuf,
}

impl Files {
    fn create(dir: &Path, agent: &Path, envoy: &Path) -> Result<Self> {
        let (home, var_lib) = (dir.join("ingress"), dir.join("ingress-var-lib"));
        fs::create_dir_all(var_lib.join("istio/data"))?;
        for folder in ["etc/istio/pod", "etc/istio/proxy", "var/run/secrets/tokens", "var/run/secrets/istio"] {
            fs::create_dir_all(home.join(folder))?;
        }
        let bootstrap = agent.with_file_name("envoy_bootstrap.json");
        let envoy = write_starter(&home, envoy)?;
        Ok(Self { home, var_lib, bootstrap, envoy })
    }

    /// The pod's labels, its token, and the root certificate by which it knows istiod.
    async fn write_identity(&self, cluster: &Cluster, api: RouteApi) -> Result<()> {
        let labels = match api {
            RouteApi::Istio => format!("istio=\"{LABEL}\"\n"),
            RouteApi::Kubernetes => format!("gateway.networking.k8s.io/gateway-name=\"{GATEWAY}\"\n"),
        };
        fs::write(self.home.join("etc/istio/pod/labels"), labels)?;
        let token = cluster.service_account_token(SYSTEM, ACCOUNT, AUDIENCE).await?;
        fs::write(self.home.join("var/run/secrets/tokens/istio-token"), token)?;
        let root = root_certificate(cluster).await?;
        Ok(fs::write(self.home.join("var/run/secrets/istio/root-cert.pem"), root)?)
    }
}

/// A program that starts Envoy so that it dies with the agent, however that ends.
fn write_starter(dir: &Path, envoy: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join("envoy");
    fs::write(&path, format!("#!/bin/sh\nexec setpriv --pdeathsig KILL '{}' \"$@\"\n", envoy.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

async fn root_certificate(cluster: &Cluster) -> Result<String> {
    let maps = Api::<ConfigMap>::namespaced(cluster.client()?, SYSTEM);
    poll::until(ROOT_LIMIT, &format!("istiod has put {ROOT} into {SYSTEM}"), async || {
        let data = maps.get_opt(ROOT).await?.and_then(|map| map.data);
        Ok(data.and_then(|mut data| data.remove("root-cert.pem")))
    })
    .await
}

fn proxy_config(files: &Files, discovery: &Port, admin: &Port) -> Value {
    json!({
        "binaryPath": files.envoy,
        "proxyBootstrapTemplatePath": files.bootstrap,
        "discoveryAddress": discovery.addr(),
        "proxyAdminPort": admin.number(),
        "concurrency": WORKERS,
        "terminationDrainDuration": "1s",
        // By default it has statistics of few things.
        "proxyStatsMatcher": { "inclusionRegexps": [".*"] },
    })
}

fn environment(proxy_config: &Value) -> Vec<(&'static str, String)> {
    vec![
        ("POD_NAME", "ingress-0".to_owned()),
        ("POD_NAMESPACE", SYSTEM.to_owned()),
        ("INSTANCE_IP", "127.0.0.1".to_owned()),
        ("SERVICE_ACCOUNT", ACCOUNT.to_owned()),
        ("ISTIO_META_CLUSTER_ID", "Kubernetes".to_owned()),
        ("ISTIOD_SAN", ISTIOD.to_owned()),
        // It would ask the metadata services of clouds.
        ("CLOUD_PLATFORM", "none".to_owned()),
        ("PROXY_CONFIG", proxy_config.to_string()),
    ]
}
