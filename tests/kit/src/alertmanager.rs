//! A real Alertmanager that notifies a webhook. Alerts are posted to its API as Prometheus posts them; when it notifies, what
//! it groups and what it sends again is its own doing.
//!
//! ```no_run
//! # async fn example(rig: &onceway_kit::rig::Rig) -> anyhow::Result<()> {
//! use onceway_kit::alertmanager::{Alertmanager, Receiver};
//! use onceway_kit::payload::Incident;
//!
//! let receiver = Receiver::at(rig.envoy().url()).group_by(&["namespace"]);
//! let alertmanager = Alertmanager::start("alertmanager", rig.dir(), receiver).await?;
//! alertmanager.post(&[Incident::new("prod", "payment-api").alert(0)]).await?;
//! alertmanager.until(|requests| requests.acknowledged() == 1).await?;
//! # Ok(())
//! # }
//! ```

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use onceway_signal::Source;
use serde_json::{Value, json};

use crate::client::Client;
use crate::exposition::Scrape;
use crate::payload::Alert;
use crate::ports::Port;
use crate::service::Service;
use onceway_tools::Tool;

/// How long it may take to be ready.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How long [`Alertmanager::until`] waits: longer than the 10 s after which Alertmanager gives a notification up.
const NOTIFY_LIMIT: Duration = Duration::from_secs(60);
/// How long it waits for more alerts of a new group whose first alert began no longer ago than this: long enough for a loaded
/// machine to take in all alerts of one call.
const GROUP_WAIT_MS: u32 = 2000;

/// A running Alertmanager, alone (not in a cluster of several); it stops when dropped.
pub struct Alertmanager {
    service: Service,
    client: Client,
    web: Port,
}

/// Who is notified, and when.
#[derive(Clone, Debug)]
pub struct Receiver {
    url: String,
    group_by: Vec<String>,
    interval_ms: u32,
    repeat_ms: u32,
    send_resolved: bool,
}

/// What it has sent to its receiver. A request is counted once it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// All requests, those sent again included.
    pub total: u64,
    /// Those that were not answered 2xx.
    pub failed: u64,
    /// Notifications that it gave up: after a 4xx, or after 10 s of retries.
    pub given_up: u64,
}

impl Requests {
    /// Those that were answered 2xx.
    pub fn acknowledged(self) -> u64 {
        self.total - self.failed
    }
}

impl Receiver {
    /// The Prometheus path below `base` (`http://127.0.0.1:10000`). Every alert is a group of its own, notified once and
    /// not repeated, and not notified when it is resolved; so that the number of notifications is known beforehand.
    pub fn at(base: String) -> Self {
        let url = base + Source::Prometheus.path();
        // "..." is Alertmanager's own word for "by all labels".
        Self { url, group_by: vec!["...".to_owned()], interval_ms: 200, repeat_ms: 3_600_000, send_resolved: false }
    }

    /// Alerts that agree in these labels are one group.
    #[must_use]
    pub fn group_by(self, labels: &[&str]) -> Self {
        Self { group_by: labels.iter().map(|label| (*label).to_owned()).collect(), ..self }
    }

    /// A group that has not changed is notified again after this many milliseconds.
    #[must_use]
    pub fn repeat(self, milliseconds: u32) -> Self {
        Self { repeat_ms: milliseconds, ..self }
    }

    /// Resolved alerts are notified too.
    #[must_use]
    pub fn send_resolved(self) -> Self {
        Self { send_resolved: true, ..self }
    }

    /// A whole configuration; JSON is YAML.
    fn config(&self) -> Value {
        json!({
            "route": {
                "receiver": "onceway",
                "group_by": self.group_by,
                "group_wait": format!("{GROUP_WAIT_MS}ms"),
                "group_interval": format!("{}ms", self.interval_ms),
                "repeat_interval": format!("{}ms", self.repeat_ms),
            },
            "receivers": [{
                "name": "onceway",
                "webhook_configs": [{ "url": self.url, "send_resolved": self.send_resolved }],
            }],
        })
    }
}

impl Alertmanager {
    /// Starts one that notifies `receiver`, and waits until it is ready. Its configuration, data and log go to `dir`,
    /// under `name`.
    ///
    /// # Errors
    /// If Alertmanager cannot be had, refuses its configuration, or is not ready in time.
    pub async fn start(name: &str, dir: &Path, receiver: Receiver) -> Result<Self> {
        let config = dir.join(format!("{name}.yml"));
        fs::write(&config, format!("{:#}\n", receiver.config()))?;
        let program = tokio::task::spawn_blocking(|| Tool::Alertmanager.get()).await??;
        let web = Port::reserve()?;
        let (address, data) = (web.addr(), dir.join(format!("{name}-data")));
        let service = Service::start(name, dir, move || {
            let mut alertmanager = Command::new(&program);
            alertmanager.arg(format!("--config.file={}", config.display()));
            alertmanager.arg(format!("--storage.path={}", data.display()));
            alertmanager.arg(format!("--web.listen-address={address}"));
            // Empty: it gossips with nobody, and opens no port for that.
            alertmanager.arg("--cluster.listen-address=");
            alertmanager
        })?;
        let alertmanager = Self { service, client: Client::new(), web };
        alertmanager.service.process()?.until_ready(READY_LIMIT, async || alertmanager.is_ready().await).await?;
        Ok(alertmanager)
    }

    /// Posts alerts to its API, all in one call.
    ///
    /// # Errors
    /// If it refuses them or does not answer.
    pub async fn post(&self, alerts: &[Alert]) -> Result<()> {
        let request = Request::post(self.url("/api/v2/alerts")).header("content-type", "application/json");
        let body = Value::from_iter(alerts.iter().map(Alert::as_posted)).to_string();
        let answer = self.client.send(request, body).await?;
        ensure!(answer.status.is_success(), "Alertmanager answers {} to alerts: {}", answer.status, answer.text());
        Ok(())
    }

    /// What it has sent so far, by its own metrics.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn requests(&self) -> Result<Requests> {
        let scrape = self.scrape().await?;
        // Whole numbers of a counter, far below where a float loses them.
        let sum = |name: &str| scrape.sum(name, &[("integration", "webhook")]) as u64;
        let given_up = sum("alertmanager_notifications_failed_total");
        // A scrape is no snapshot; the failures of a request that the total lacks yet must not make it negative.
        let total = sum("alertmanager_notification_requests_total");
        let failed = sum("alertmanager_notification_requests_failed_total").min(total);
        Ok(Requests { total, failed, given_up })
    }

    /// Waits until what it has sent is such that `done` is true.
    ///
    /// # Errors
    /// If that is not so in time, or it has ended.
    pub async fn until(&self, mut done: impl FnMut(Requests) -> bool) -> Result<Requests> {
        let mut last = None;
        let reached = async || {
            last = self.requests().await.ok();
            last.is_some_and(&mut done)
        };
        let waited = self.service.process()?.until_ready(NOTIFY_LIMIT, reached).await;
        waited.with_context(|| format!("what Alertmanager has sent is not as awaited: {last:?}"))?;
        last.context("Alertmanager does not show its metrics")
    }

    /// Its metrics, as they are now.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn scrape(&self) -> Result<Scrape> {
        Ok(Scrape::new(self.client.get(&self.url("/metrics")).await?.text()))
    }

    /// Its process.
    pub fn service(&self) -> &Service {
        &self.service
    }

    async fn is_ready(&self) -> bool {
        self.client.get(&self.url("/-/ready")).await.is_ok_and(|answer| answer.status.is_success())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.web.addr())
    }
}
