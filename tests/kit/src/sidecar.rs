//! A sidecar: the real program, as a process of its own, that can be killed, frozen and started again in its place.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::clock::Clock;
use crate::cluster::{Namespace, Token, kubeconfig};
use crate::exposition::Scrape;
use crate::ports::Port;
use crate::service::Service;

/// How long a sidecar may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A replica. It keeps its ports when it is started again.
pub struct Sidecar {
    name: String,
    service: Service,
    client: Client,
    signals: Port,
    health: Port,
    metrics: Port,
    token_path: PathBuf,
    clock: Option<Clock>,
}

/// What a replica is started with.
pub struct Settings<'a> {
    /// Its `POD_NAME`.
    pub name: &'a str,
    /// The program.
    pub program: PathBuf,
    /// Where its configuration, kubeconfig and log go.
    pub dir: &'a Path,
    /// Where it finds the API server: the fault proxy's URL, or the API server's own.
    pub api_url: &'a str,
    /// Keys of its configuration other than the ports, as `--print-default-config` shows them; `{}` for the defaults.
    pub config: Value,
    /// A wall clock of its own, where it is to have one.
    pub clock: Option<Clock>,
    /// Variables of its environment, beside those that every replica has.
    pub environment: Vec<(&'static str, &'static str)>,
}

impl Sidecar {
    /// Starts a replica in `namespace`, with the account and the rights that `deploy/base` gives it there. It may not be
    /// ready yet.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(namespace: &Namespace, settings: Settings<'_>) -> Result<Self> {
        let Settings { name, program, dir, api_url, mut config, clock, environment } = settings;
        let (signals, health, metrics) = (Port::reserve()?, Port::reserve()?, Port::reserve()?);
        config["listen"] = json!({ "signals": signals.addr(), "health": health.addr(), "metrics": metrics.addr() });
        let config_path = dir.join(format!("{name}.yaml"));
        fs::write(&config_path, format!("{config:#}\n"))?;

        let kubeconfig_path = dir.join(format!("{name}.kubeconfig"));
        let certificate = namespace.cluster().certificate_pem();
        let token_path = dir.join(format!("{name}.token"));
        fs::write(&token_path, namespace.token())?;
        let access = kubeconfig(api_url, Some(certificate), Token::File(&token_path), namespace.name());
        fs::write(&kubeconfig_path, access)?;

        let (pod, pod_namespace) = (name.to_owned(), namespace.name().to_owned());
        let clock_environment = clock.as_ref().map(Clock::environment);
        let service = Service::start(name, dir, move || {
            let mut sidecar = Command::new(&program);
            sidecar.envs(clock_environment.iter().flatten().cloned()).envs(environment.iter().copied());
            sidecar.arg("--config").arg(&config_path);
            sidecar.env("KUBECONFIG", &kubeconfig_path).env("POD_NAME", &pod).env("POD_NAMESPACE", &pod_namespace);
            sidecar
        })?;
        Ok(Self { name: name.to_owned(), service, client: Client::new(), signals, health, metrics, token_path, clock })
    }

    /// Its `POD_NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process; kill it, freeze it, start it again.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Its wall clock.
    ///
    /// # Panics
    /// If the rig was started without such clocks.
    pub fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("a replica has a clock of its own only where with_clocks() asks for it")
    }

    /// Where it takes signals.
    pub fn url(&self) -> String {
        format!("http://{}", self.signals.addr())
    }

    /// The address of its signal port.
    pub fn signals(&self) -> SocketAddr {
        self.signals.addr()
    }

    /// The address of its health port.
    pub fn health(&self) -> SocketAddr {
        self.health.addr()
    }

    /// Replaces its process as a rolling update does: SIGTERM, waits until it has drained and ended, starts another at the
    /// same addresses, and waits until that is ready.
    ///
    /// # Errors
    /// If it still runs after `limit` or ended badly, or the new one is not ready in time.
    pub async fn roll(&self, limit: Duration) -> Result<()> {
        self.service.stop(limit).await?;
        self.service.restart()?;
        self.until_ready().await
    }

    /// Waits until it says that it is ready.
    ///
    /// # Errors
    /// If it ends or is not ready in time; the error shows its last lines.
    pub async fn until_ready(&self) -> Result<()> {
        let ready = async || self.is_ready().await;
        self.service.process()?.until_ready(READY_LIMIT, ready).await
    }

    /// Waits until it follows the RRs: before that, a first incident costs a list more.
    ///
    /// # Errors
    /// If it ends or is not in sync in time; the error shows its last lines.
    pub async fn until_in_sync(&self) -> Result<()> {
        self.until_metric("gateway_index_in_sync", |value| value > 0.5).await
    }

    /// Waits until the sum of a metric's samples is as wanted.
    ///
    /// # Errors
    /// If it ends or the metric is not as wanted in time; the error shows its last lines.
    pub async fn until_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) -> Result<()> {
        let holds = async || self.scrape().await.is_ok_and(|scrape| wanted(scrape.sum(name, &[])));
        self.service.process()?.until_ready(READY_LIMIT, holds).await
    }

    /// Gives it another token, as a kubelet does: it reads the file again within a minute.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn rotate_token(&self, token: &str) -> Result<()> {
        fs::write(&self.token_path, token).context("cannot write the token")
    }

    /// What it says of its readiness: the status, and the reasons where it is not ready.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn readiness(&self) -> Result<Answer> {
        self.client.get(&format!("http://{}/readyz", self.health.addr())).await
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        self.readiness().await.is_ok_and(|answer| answer.status.is_success())
    }

    /// Its metrics, as they are now.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn scrape(&self) -> Result<Scrape> {
        let answer = self.client.get(&format!("http://{}/metrics", self.metrics.addr())).await;
        answer.map(|answer| Scrape::new(answer.text())).with_context(|| format!("no metrics of {}", self.name))
    }

    /// Where it shows its metrics.
    pub fn metrics(&self) -> SocketAddr {
        self.metrics.addr()
    }
}
