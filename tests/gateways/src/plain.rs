//! Plain Envoy, as the chart's Deployment: the configuration of its ConfigMap with the module of the sidecar's image.
//!
//! Replicas are found as in a cluster, by the name of their headless Service, which here stands in the file `hosts` that
//! Envoy's resolver reads. An upgrade is a rolling update: the new Envoy is ready before the old one is asked to end, and
//! both listen on the same port, as behind a Service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::LocalBoxFuture;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client as KubeClient};
use onceway_kit::client::Client;
use onceway_kit::envoy::Upstream;
use onceway_kit::poll;
use onceway_kit::ports::Port;
use onceway_kit::service::Service;
use onceway_tools::Tool;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::gateway::{Gateway, until_replicas};
use crate::site::{NAMESPACE, RELEASE, Site};

/// The chart's ConfigMap, and the file in it.
const CONFIG: (&str, &str) = ("onceway-envoy", "envoy.yaml");
/// Envoy's cluster of replicas.
const CLUSTER: &str = "onceway";
/// How long Envoy may take to be ready, including compiling the filter.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// The chart's values for pods that drain fast: the longest that a connection lasts, and how long a pod waits before it ends.
const MAX_CONNECTION_SECONDS: u64 = 3;
const DRAIN: Duration = Duration::from_secs(20);
/// How long an Envoy that was asked to end may take.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A running Envoy.
pub struct Plain {
    kube: KubeClient,
    dir: PathBuf,
    listener: Port,
    /// The file that takes the place of `/etc/hosts`, and the host in it.
    hosts: PathBuf,
    host: String,
    state: Mutex<State>,
}

struct State {
    envoy: Option<Instance>,
    replicas: Vec<Upstream>,
    started: usize,
}

/// One Envoy of a rolling update.
struct Instance {
    service: Service,
    admin: Port,
}

impl Plain {
    /// Prepares the gateway of the installed release. Envoy starts with the first replicas.
    ///
    /// # Errors
    /// If nothing can be reserved or written.
    pub async fn start(site: &Site, module: &Path) -> Result<Self> {
        let hosts = site.dir().join("hosts");
        fs::write(&hosts, "")?;
        fs::copy(module, site.dir().join("plugin.wasm"))?;
        Ok(Self {
            kube: site.cluster.client()?,
            dir: site.dir().to_owned(),
            listener: Port::reserve()?,
            hosts,
            host: format!("{RELEASE}.{NAMESPACE}.svc.cluster.local."),
            state: Mutex::new(State { envoy: None, replicas: Vec::new(), started: 0 }),
        })
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The configuration that is in the cluster, with the addresses and paths of this machine.
    async fn config(&self, admin: &Port) -> Result<Value> {
        let (name, file) = CONFIG;
        let map = Api::<ConfigMap>::namespaced(self.kube.clone(), NAMESPACE).get(name).await?;
        let text = map.data.and_then(|mut data| data.remove(file)).context("the ConfigMap lacks Envoy's file")?;
        let mut config: Value = serde_saphyr::from_str(&text).context("Envoy's configuration is no YAML")?;
        let address =
            |port: &Port| json!({ "socket_address": { "address": port.addr().ip(), "port_value": port.number() } });
        config["admin"]["address"] = address(admin);
        let listeners = config["static_resources"]["listeners"].as_array_mut().context("no listeners")?;
        // The others, such as the one for statistics, are not ours to test here: their ports are fixed.
        listeners.retain(|listener| listener["name"] == "onceway");
        let listener = listeners.first_mut().context("no listener of the name onceway")?;
        listener["address"] = address(&self.listener);
        let text = config.to_string().replace("/filter/plugin.wasm", &self.dir.join("plugin.wasm").to_string_lossy());
        let mut config: Value = serde_json::from_str(&text)?;
        let clusters = config["static_resources"]["clusters"].as_array_mut().context("no clusters")?;
        clusters.retain(|cluster| cluster["name"] == CLUSTER);
        let cluster = clusters.first().context("no cluster of the name onceway")?;
        ensure!(cluster["cluster_type"]["name"] == "envoy.cluster.dns", "replicas are not found by DNS");
        let endpoint = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
        let name = &endpoint["address"]["socket_address"]["address"];
        ensure!(*name == json!(self.host), "replicas are looked for at {name}, not at {}", self.host);
        Ok(config)
    }

    /// Starts another Envoy and waits until it is ready and has all replicas.
    async fn start_envoy(&self) -> Result<Instance> {
        let (replicas, number) = {
            let mut state = self.state();
            state.started += 1;
            (state.replicas.clone(), state.started)
        };
        let admin = Port::reserve()?;
        let config = self.config(&admin).await?;
        let path = self.dir.join(format!("envoy-{number}.json"));
        fs::write(&path, format!("{config:#}\n"))?;
        let program = tokio::task::spawn_blocking(|| Tool::Envoy.get()).await??;
        let hosts = self.hosts.clone();
        let service = Service::start(&format!("envoy-{number}"), &self.dir, move || {
            let mut envoy = Command::new("unshare");
            envoy
                .args(["--mount", "sh", "-c", r#"mount --bind "$1" /etc/hosts && shift && exec "$@""#, "sh"])
                .arg(&hosts);
            envoy.arg(&program).args(["--disable-hot-restart", "--log-level", "warning", "--concurrency", "2"]);
            envoy.arg("--config-path").arg(&path);
            envoy
        })?;
        let instance = Instance { service, admin };
        let (client, ready) = (Client::new(), format!("{}/ready", instance.admin_url()));
        let live = async || client.get(&ready).await.is_ok_and(|response| response.status.is_success());
        instance.service.process()?.until_ready(READY_LIMIT, live).await?;
        until_replicas(&instance.admin_url(), CLUSTER, &replicas).await?;
        Ok(instance)
    }

    fn write_hosts(&self, replicas: &[Upstream]) -> Result<()> {
        let lines = replicas.iter().map(|replica| format!("{} {}\n", replica.signals.ip(), self.host));
        // In place: the mount is of this very file.
        fs::write(&self.hosts, lines.collect::<String>()).context("cannot write the hosts")
    }
}

/// The chart's values for plain Envoy, beside [`Site::values`].
pub fn values() -> Value {
    json!({ "envoy": { "maxConnectionSeconds": MAX_CONNECTION_SECONDS, "drainSeconds": DRAIN.as_secs() } })
}

/// Waits as the pod's preStop hook does, but no longer than it must: until every connection that is used has been ended
/// after `maxConnectionSeconds`. Those that are idle end with the process, which costs no request.
async fn until_drained(admin_url: &str) -> Result<()> {
    sleep(Duration::from_secs(MAX_CONNECTION_SECONDS)).await;
    let client = Client::new();
    let url = format!("{admin_url}/stats?filter=^http.onceway.downstream_rq_active$");
    poll::until(DRAIN, "the old Envoy has no request", async || {
        let active = client.get(&url).await?.text();
        Ok(active.trim().ends_with(": 0").then_some(()))
    })
    .await
}

impl Instance {
    fn admin_url(&self) -> String {
        format!("http://{}", self.admin.addr())
    }
}

impl Gateway for Plain {
    fn url(&self) -> String {
        format!("http://{}", self.listener.addr())
    }

    fn admin_url(&self) -> String {
        self.state().envoy.as_ref().map_or_else(String::new, Instance::admin_url)
    }

    fn set_replicas<'a>(&'a self, replicas: &'a [Upstream]) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let has_some = {
                let mut state = self.state();
                let known = |replica: &Upstream| state.replicas.iter().any(|old| old.signals == replica.signals);
                let has_some = state.envoy.is_some() && replicas.iter().any(known);
                state.replicas = replicas.to_vec();
                has_some
            };
            self.write_hosts(replicas)?;
            if has_some {
                return until_replicas(&self.admin_url(), CLUSTER, replicas).await;
            }
            // The first ones, or those of another rig: Envoy keeps hosts that are healthy although DNS has forgotten them, and
            // those before still run.
            self.roll().await
        })
    }

    fn installed<'a>(&'a self, module: &'a Path) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let plugin = self.dir.join("plugin.wasm");
            let new = self.dir.join("plugin.wasm.new");
            fs::copy(module, &new)?;
            fs::rename(&new, &plugin)?;
            // The first one starts with the first replicas.
            let running = self.state().envoy.is_some();
            if running {
                self.roll().await?;
            }
            Ok(())
        })
    }
}

impl Plain {
    /// A rolling update: the new Envoy takes over once it is ready; the old one ends as a pod does.
    async fn roll(&self) -> Result<()> {
        let new = self.start_envoy().await?;
        let old = self.state().envoy.replace(new);
        let Some(old) = old else { return Ok(()) };
        // The pod is no endpoint any more, and gets no new connections.
        let closed = Client::new().post(&format!("{}/drain_listeners", old.admin_url())).await?;
        ensure!(closed.status.is_success(), "Envoy does not close its listeners: {}", closed.text());
        until_drained(&old.admin_url()).await?;
        old.service.stop(END_LIMIT).await
    }
}
