//! The process of the control plane, with its certificates.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use onceway_kit::client::Client;
use onceway_kit::poll;
use onceway_kit::ports::Port;
use onceway_kit::service::Service;
use serde_json::json;

use crate::container::write_files;
use crate::manifests;
use crate::mounts::Mounts;
use crate::site::Site;

/// The namespace that it runs in, and makes Deployments in.
pub(super) const NAMESPACE: &str = "envoy-gateway-system";
/// The host that Envoy knows it by.
const HOST: &str = "envoy-gateway.envoy-gateway-system.svc.cluster.local";
/// The Secret with its certificate.
const CERTIFICATE: &str = "envoy-gateway";
/// Its fixed ports: xDS, modules, readiness.
const PORTS: [u16; 3] = [18_000, 18_002, 8081];
const READY: &str = "http://127.0.0.1:8081/readyz";
/// How long it may take to be ready, and its predecessor to give its ports back.
const READY_LIMIT: Duration = Duration::from_secs(60);
const PORTS_LIMIT: Duration = Duration::from_secs(10);

/// The running control plane.
pub(super) struct ControlPlane {
    service: Service,
    hosts: PathBuf,
    _admin: Port,
}

impl ControlPlane {
    /// Creates its namespace and its certificates, starts it, and waits until it is ready.
    pub(super) async fn start(site: &Site, program: &Path) -> Result<Self> {
        let dir = site.dir().join("envoy-gateway");
        fs::create_dir_all(&dir)?;
        // There already, if another ran in this cluster before.
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
        manifests::apply(&site.cluster.client()?, &namespace).await?;
        let kubeconfig = dir.join("kubeconfig");
        fs::write(&kubeconfig, site.cluster.admin_kubeconfig(NAMESPACE))?;
        create_certificates(program, &kubeconfig).await?;
        let secret = Api::<Secret>::namespaced(site.cluster.client()?, NAMESPACE).get(CERTIFICATE).await?;
        let files = secret.data.into_iter().flatten().map(|(name, value)| (name, value.0)).collect();
        write_files(&files, None, &dir.join("certs"))?;
        let hosts = dir.join("hosts");
        // Envoy's bootstrap has the host with a dot at the end, its cluster for modules without.
        fs::write(&hosts, format!("127.0.0.1 localhost\n127.0.0.1 {HOST} {HOST}.\n"))?;
        until_ports_are_free().await?;
        let admin = Port::reserve()?;
        let service = start_server(program, &dir, &kubeconfig, &admin)?;
        let client = Client::new();
        let ready = async || client.get(READY).await.is_ok_and(|response| response.status.is_success());
        service.process()?.until_ready(READY_LIMIT, ready).await?;
        Ok(Self { service, hosts, _admin: admin })
    }

    pub(super) fn service(&self) -> &Service {
        &self.service
    }

    /// A hosts file with its address.
    pub(super) fn hosts(&self) -> PathBuf {
        self.hosts.clone()
    }

    /// An error with its last lines.
    pub(super) fn failure(&self, what: &str) -> anyhow::Error {
        self.service.process().map_or_else(|error| error, |process| process.failure(what))
    }
}

/// As the installation's job does.
async fn create_certificates(program: &Path, kubeconfig: &Path) -> Result<()> {
    let mut certgen = tokio::process::Command::new(program);
    certgen.args(["certgen", "--disable-topology-injector"]).env("KUBECONFIG", kubeconfig);
    let output = certgen.env("ENVOY_GATEWAY_NAMESPACE", NAMESPACE).kill_on_drop(true).output().await?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "Envoy Gateway makes no certificates: {}", String::from_utf8_lossy(&said));
    Ok(())
}

fn start_server(program: &Path, dir: &Path, kubeconfig: &Path, admin: &Port) -> Result<Service> {
    let config = dir.join("config.yaml");
    let content = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyGateway",
        "provider": { "type": "Kubernetes", "kubernetes": {
            // There is one.
            "leaderElection": { "disable": true },
            // An admission webhook that writes the zone to Envoy's pods, of which there are none.
            "proxyTopologyInjector": { "disabled": true },
        } },
        // The chart needs it.
        "extensionApis": { "enableEnvoyPatchPolicy": true },
        // Envoy has the same port by default.
        "admin": { "address": { "host": "127.0.0.1", "port": admin.number() } },
        // So have its metrics. Nobody reads these.
        "telemetry": { "metrics": { "prometheus": { "disable": true } } },
    });
    fs::write(&config, format!("{content:#}\n"))?;
    // Its cache of modules is in a new directory below.
    let state = dir.join("var-lib");
    fs::create_dir_all(&state)?;
    let mounts =
        Mounts::default().bind(&dir.join("certs"), Path::new("/certs"))?.bind(&state, Path::new("/var/lib"))?;
    let (program, root, kubeconfig) = (program.to_owned(), dir.join("root"), kubeconfig.to_owned());
    Service::start("envoy-gateway", dir, move || {
        let mut server: Command = mounts.command(&root, &program);
        server.arg("server").arg("--config-path").arg(&config);
        server.env("KUBECONFIG", &kubeconfig).env("ENVOY_GATEWAY_NAMESPACE", NAMESPACE);
        server
    })
}

/// It does not end if it cannot listen.
async fn until_ports_are_free() -> Result<()> {
    for port in PORTS {
        let what = format!("Envoy Gateway's port {port} is free in this network");
        let free = async || Ok(TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok().map(drop));
        poll::until(PORTS_LIMIT, &what, free).await?;
    }
    Ok(())
}
