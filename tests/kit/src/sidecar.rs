//! A sidecar: the real program as a process that can be killed, frozen and restarted.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::client::{Client, ClientResponse};
use crate::clock::Clock;
use crate::cluster::{Namespace, Token, kubeconfig};
use crate::exposition::Scrape;
use crate::ports::Port;
use crate::service::Service;

/// How long a sidecar may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A replica. It keeps its ports across restarts.
pub struct Sidecar {
    name: String,
    /// What the next process at its addresses runs.
    program: Arc<Mutex<PathBuf>>,
    service: Service,
    client: Client,
    listen: Listen,
    config_path: PathBuf,
    token_path: PathBuf,
    clock: Option<Clock>,
}

/// The reserved ports of a replica.
pub struct Listen {
    signals: Port,
    health: Port,
    metrics: Port,
}

impl Listen {
    /// Ports of 127.0.0.1.
    ///
    /// # Errors
    /// If the loopback interface has no port left.
    pub fn reserve() -> Result<Self> {
        Ok(Self { signals: Port::reserve()?, health: Port::reserve()?, metrics: Port::reserve()? })
    }

    /// The ports of the next pod of this network.
    ///
    /// # Errors
    /// If one is in use, or the network is not of this machine.
    pub fn reserve_in(network: PodNetwork) -> Result<Self> {
        // No address is used twice: what another pod's address is remembered for is not meant for this one.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let address = Ipv4Addr::from_bits(network.first.to_bits() + NEXT.fetch_add(1, Ordering::Relaxed));
        let reserve = |number| Port::reserve_at(address, number);
        Ok(Self {
            signals: reserve(network.signals)?,
            health: reserve(network.health)?,
            metrics: reserve(network.metrics)?,
        })
    }
}

/// Addresses of this machine for pods, which all listen on the same ports.
#[derive(Clone, Copy, Debug)]
pub struct PodNetwork {
    /// The first pod's address; the next pods have the next.
    pub first: Ipv4Addr,
    /// The port for signals.
    pub signals: u16,
    /// The port for health checks.
    pub health: u16,
    /// The port for metrics.
    pub metrics: u16,
}

/// The settings of a replica.
pub struct Settings<'a> {
    /// Its `POD_NAME`.
    pub name: &'a str,
    /// The program.
    pub program: PathBuf,
    /// The directory for its configuration, kubeconfig and log.
    pub dir: &'a Path,
    /// The URL of its API server: the fault proxy's, or the API server's own.
    pub api_url: &'a str,
    /// Keys of its configuration other than the ports, as `--print-default-config` shows them; `{}` for the defaults.
    pub config: Value,
    /// Where it listens.
    pub listen: Listen,
    /// Its own wall clock, if it has one.
    pub clock: Option<Clock>,
    /// Environment variables beside those that every replica has.
    pub environment: Vec<(&'static str, &'static str)>,
}

impl Sidecar {
    /// Starts a replica in `namespace`, with the account and the rights that `deploy/chart` gives it there. Does not
    /// wait until it is ready.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(namespace: &Namespace, settings: Settings<'_>) -> Result<Self> {
        let Settings { name, program, dir, api_url, mut config, listen, clock, environment } = settings;
        let Listen { signals, health, metrics } = &listen;
        config["listen"] = json!({ "signals": signals.addr(), "health": health.addr(), "metrics": metrics.addr() });
        let config_path = dir.join(format!("{name}.yaml"));
        fs::write(&config_path, format!("{config:#}\n"))?;

        let kubeconfig_path = dir.join(format!("{name}.kubeconfig"));
        let certificate = namespace.cluster().certificate_pem();
        let token_path = dir.join(format!("{name}.token"));
        fs::write(&token_path, namespace.token())?;
        let access = kubeconfig(api_url, certificate, Token::File(&token_path), namespace.name());
        fs::write(&kubeconfig_path, access)?;

        let (pod, pod_namespace) = (name.to_owned(), namespace.name().to_owned());
        let clock_environment = clock.as_ref().map(Clock::environment);
        let started_with = config_path.clone();
        let program = Arc::new(Mutex::new(program));
        let next = Arc::clone(&program);
        let service = Service::start(name, dir, move || {
            let mut sidecar = Command::new(&*next.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
            sidecar.envs(clock_environment.iter().flatten().cloned()).envs(environment.iter().copied());
            sidecar.arg("--config").arg(&started_with);
            sidecar.env("KUBECONFIG", &kubeconfig_path).env("POD_NAME", &pod).env("POD_NAMESPACE", &pod_namespace);
            sidecar
        })?;
        let (name, client) = (name.to_owned(), Client::new());
        Ok(Self { name, program, service, client, listen, config_path, token_path, clock })
    }

    /// Its `POD_NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process: kill, freeze or restart it.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Its wall clock.
    ///
    /// # Panics
    /// If the rig was started without such clocks.
    pub fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("replicas have clocks only in a rig with_clocks()")
    }

    /// The URL for signals.
    pub fn url(&self) -> String {
        format!("http://{}", self.listen.signals.addr())
    }

    /// The address of its signal port.
    pub fn signals(&self) -> SocketAddr {
        self.listen.signals.addr()
    }

    /// The address of its health port.
    pub fn health(&self) -> SocketAddr {
        self.listen.health.addr()
    }

    /// Replaces its process as a rolling update does: sends SIGTERM, waits until it has drained and ended, starts
    /// another at the same addresses, and waits until that is ready.
    ///
    /// # Errors
    /// If it still runs after `limit` or ended with an error, or the new one is not ready in time.
    pub async fn roll(&self, limit: Duration) -> Result<()> {
        self.service.stop(limit).await?;
        self.service.restart()?;
        self.until_ready().await
    }

    /// Has the next process at its addresses run this program.
    pub fn use_program(&self, program: PathBuf) {
        *self.program.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = program;
    }

    /// Changes its configuration, which the next process at its addresses reads.
    ///
    /// # Errors
    /// If the configuration cannot be read or written.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&self.config_path)?)?;
        change(&mut config);
        Ok(fs::write(&self.config_path, format!("{config:#}\n"))?)
    }

    /// Waits until it reports ready.
    ///
    /// # Errors
    /// If it ends or is not ready in time; the error shows its last lines.
    pub async fn until_ready(&self) -> Result<()> {
        let ready = async || self.is_ready().await;
        self.service.process()?.until_ready(READY_LIMIT, ready).await
    }

    /// Waits until its index is in sync: before that, a first incident costs one more list.
    ///
    /// # Errors
    /// If it ends or is not in sync in time; the error shows its last lines.
    pub async fn until_in_sync(&self) -> Result<()> {
        self.until_metric("gateway_index_in_sync", |value| value > 0.5).await
    }

    /// Waits until `wanted` is true of the sum of a metric's samples.
    ///
    /// # Errors
    /// If it ends first or that takes too long; the error shows its last lines.
    pub async fn until_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) -> Result<()> {
        let holds = async || self.scrape().await.is_ok_and(|scrape| wanted(scrape.sum(name, &[])));
        self.service.process()?.until_ready(READY_LIMIT, holds).await
    }

    /// Gives it another token, as a kubelet does; it reads the file again within a minute.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn rotate_token(&self, token: &str) -> Result<()> {
        fs::write(&self.token_path, token).context("cannot write the token")
    }

    /// The response of its readiness endpoint, with the reasons if it is not ready.
    ///
    /// # Errors
    /// If it does not respond.
    pub async fn readiness(&self) -> Result<ClientResponse> {
        self.client.get(&format!("http://{}/readyz", self.listen.health.addr())).await
    }

    /// Whether it reports ready.
    pub async fn is_ready(&self) -> bool {
        self.readiness().await.is_ok_and(|response| response.status.is_success())
    }

    /// Its current metrics.
    ///
    /// # Errors
    /// If it does not respond.
    pub async fn scrape(&self) -> Result<Scrape> {
        let response = self.client.get(&format!("http://{}/metrics", self.listen.metrics.addr())).await;
        response.map(|response| Scrape::new(response.text())).with_context(|| format!("no metrics of {}", self.name))
    }

    /// The address of its metrics port.
    pub fn metrics(&self) -> SocketAddr {
        self.listen.metrics.addr()
    }
}
