//! A real Envoy with the real filter and the shipped `envoy/onceway.yaml`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::client::Client;
use crate::exposition::Scrape;
use crate::ports::Port;
use crate::service::Service;
use onceway_tools::Tool;

mod auth;
mod config;

pub use self::auth::{AUTH_CONFIG, EdgeAuth};
pub use self::config::{
    CONFIG, Edits, FILTER, Upstream, at, configure_filter, lengthen_timeouts, load_module, remove_filter,
    unconfigure_filter,
};

/// How long Envoy may take to be ready, including compiling the filter.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Default number of workers: two, so that tests meet differences between workers.
const WORKERS: u32 = 2;

/// A running Envoy; it stops when dropped.
pub struct Envoy {
    service: Service,
    client: Client,
    listener: Port,
    admin: Port,
    stats: Port,
}

impl Envoy {
    /// Starts Envoy with the filter at `wasm` in front of `upstreams`, and waits until it is ready and all of them are
    /// healthy. Writes its configuration and log to `dir`.
    ///
    /// # Errors
    /// If Envoy cannot be found or fetched, rejects its configuration, or is not ready in time.
    pub async fn start(dir: &Path, wasm: &Path, upstreams: &[Upstream]) -> Result<Self> {
        Self::start_on(dir, wasm, upstreams, Port::reserve()?).await
    }

    /// Like [`Envoy::start`], listening on this port.
    ///
    /// # Errors
    /// Those of [`Envoy::start`].
    pub async fn start_on(dir: &Path, wasm: &Path, upstreams: &[Upstream], listener: Port) -> Result<Self> {
        Self::start_edited(dir, wasm, upstreams, listener, |_| {}).await
    }

    /// Like [`Envoy::start_on`], with a configuration that `edit` changes.
    ///
    /// # Errors
    /// Those of [`Envoy::start`].
    pub async fn start_edited(
        dir: &Path,
        wasm: &Path,
        upstreams: &[Upstream],
        listener: Port,
        edit: impl FnOnce(&mut Value),
    ) -> Result<Self> {
        Self::start_with_workers(WORKERS, dir, wasm, upstreams, listener, edit).await
    }

    /// Like [`Envoy::start_edited`], with this number of workers.
    ///
    /// # Errors
    /// Those of [`Envoy::start`].
    pub async fn start_with_workers(
        workers: u32,
        dir: &Path,
        wasm: &Path,
        upstreams: &[Upstream],
        listener: Port,
        edit: impl FnOnce(&mut Value),
    ) -> Result<Self> {
        let (admin, stats) = (Port::reserve()?, Port::reserve()?);
        let edits = Edits { listener: listener.addr(), admin: admin.addr(), stats: stats.addr(), wasm, upstreams };
        let path = dir.join("envoy.json");
        let mut config = edits.apply(config::shipped()?)?;
        edit(&mut config);
        fs::write(&path, format!("{config:#}\n"))?;
        let program = tokio::task::spawn_blocking(|| Tool::Envoy.get()).await??;
        let service = Service::start("envoy", dir, move || {
            let mut envoy = Command::new(&program);
            // Hot restart needs an id that no other Envoy of this machine uses.
            envoy.args(["--disable-hot-restart", "--log-level", "warning"]);
            envoy.arg("--concurrency").arg(workers.to_string()).arg("--config-path").arg(&path);
            envoy
        })?;
        let envoy = Self { service, client: Client::new(), listener, admin, stats };
        envoy.until_ready(upstreams.len()).await?;
        Ok(envoy)
    }

    /// The URL for signals.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.addr())
    }

    /// The address for signals.
    pub fn addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// The URL of its admin page.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin.addr())
    }

    /// The address of the listener that shows its statistics, at `/stats/prometheus`.
    pub fn stats_addr(&self) -> SocketAddr {
        self.stats.addr()
    }

    /// The URL of the listener that shows its statistics, for Prometheus.
    pub fn stats_url(&self) -> String {
        format!("http://{}", self.stats.addr())
    }

    /// Its process.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Its statistics in Prometheus' format, including the filter's.
    ///
    /// # Errors
    /// If its admin does not respond.
    pub async fn stats(&self) -> Result<Scrape> {
        Ok(Scrape::new(self.admin_get("/stats/prometheus").await?))
    }

    /// The replicas that it sends signals to.
    ///
    /// # Errors
    /// If its admin does not respond.
    pub async fn healthy(&self) -> Result<Vec<SocketAddr>> {
        let clusters = self.admin_get("/clusters").await?;
        Ok(healthy_hosts(&clusters))
    }

    /// Waits until it sends signals to exactly `count` replicas.
    ///
    /// # Errors
    /// If that takes too long.
    pub async fn until_healthy(&self, count: usize) -> Result<()> {
        let healthy = async || self.healthy().await.is_ok_and(|hosts| hosts.len() == count);
        let reached = self.service.process()?.until_ready(READY_LIMIT, healthy).await;
        reached.with_context(|| format!("Envoy does not have {count} healthy replicas"))
    }

    async fn until_ready(&self, upstreams: usize) -> Result<()> {
        let live = async || self.admin_get("/ready").await.is_ok();
        self.service.process()?.until_ready(READY_LIMIT, live).await?;
        self.until_healthy(upstreams).await
    }

    async fn admin_get(&self, path: &str) -> Result<String> {
        let response = self.client.get(&(self.admin_url() + path)).await?;
        ensure!(response.status.is_success(), "Envoy's admin returns {} for {path}", response.status);
        Ok(response.text())
    }
}

/// Has Envoy validate the configuration at `path`, from the repository's root.
///
/// # Errors
/// If it is not valid; the error has Envoy's reason.
pub fn validate(path: &Path) -> Result<()> {
    let mut envoy = Command::new(Tool::Envoy.get()?);
    envoy.args(["--mode", "validate", "--log-level", "warning", "--config-path"]).arg(path);
    let output = envoy.current_dir(crate::cluster::deploy::repository()).output()?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "Envoy rejects {}:\n{}", path.display(), String::from_utf8_lossy(&said));
    Ok(())
}

/// The path of `envoy/onceway.yaml`.
pub fn shipped() -> PathBuf {
    crate::cluster::deploy::repository().join(CONFIG)
}

/// The hosts of our cluster in Envoy's `/clusters` that are neither ejected nor failing their health check.
fn healthy_hosts(clusters: &str) -> Vec<SocketAddr> {
    let flags = clusters.lines().filter_map(|line| {
        let (host, flags) = line.strip_prefix("onceway::")?.split_once("::health_flags::")?;
        (flags == "healthy").then(|| host.parse().ok())?
    });
    flags.collect()
}

#[cfg(test)]
mod tests {
    use super::healthy_hosts;

    #[test]
    fn only_hosts_without_a_flag_are_healthy() {
        let clusters = "onceway::observability_name::onceway\n\
                        onceway::127.0.0.1:1::health_flags::healthy\n\
                        onceway::127.0.0.1:2::health_flags::/failed_active_hc\n\
                        onceway::127.0.0.1:3::health_flags::/failed_outlier_check\n\
                        other::127.0.0.1:4::health_flags::healthy\n";
        assert_eq!(healthy_hosts(clusters), ["127.0.0.1:1".parse().unwrap()]);
    }
}
