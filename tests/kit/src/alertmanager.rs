//! A real Alertmanager that notifies a webhook. Tests post alerts to its API as Prometheus does; grouping, timing and
//! retries are Alertmanager's.
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

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
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

/// Limit for the start.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// Limit of [`Alertmanager::until`]: longer than the 10 s after which Alertmanager gives up a notification.
const NOTIFY_LIMIT: Duration = Duration::from_secs(60);
/// `group_wait`: applies to a new group whose first alert began no longer ago than this. Long enough for a loaded
/// machine to process all alerts of one API call.
const GROUP_WAIT_MS: u32 = 2000;

/// A running Alertmanager, not clustered; it stops when dropped.
pub struct Alertmanager {
    service: Service,
    client: Client,
    web: Port,
}

/// The webhook and its timing.
#[derive(Clone, Debug)]
pub struct Receiver {
    url: String,
    group_by: Vec<String>,
    interval_ms: u32,
    repeat_ms: u32,
    send_resolved: bool,
    http: Value,
}

/// Requests to the receiver, counted when their responses arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requests {
    /// All requests, including retries.
    pub total: u64,
    /// Requests without a 2xx response.
    pub failed: u64,
    /// Notifications given up: after a 4xx, or after 10 s of retries.
    pub given_up: u64,
}

impl Requests {
    /// Requests with a 2xx response.
    pub fn acknowledged(self) -> u64 {
        self.total - self.failed
    }
}

impl Receiver {
    /// The Prometheus path below `base` (`http://127.0.0.1:10000`). Every alert is its own group, notified once: no
    /// repeats, no notification when it is resolved. So the number of notifications is known in advance.
    pub fn at(base: String) -> Self {
        let url = base + Source::Prometheus.path();
        // "...": Alertmanager groups by all labels.
        Self {
            url,
            group_by: vec!["...".to_owned()],
            interval_ms: 200,
            repeat_ms: 3_600_000,
            send_resolved: false,
            http: json!({}),
        }
    }

    /// Groups alerts by these labels.
    #[must_use]
    pub fn group_by(self, labels: &[&str]) -> Self {
        Self { group_by: labels.iter().map(|label| (*label).to_owned()).collect(), ..self }
    }

    /// Repeats the notification of an unchanged group after this many milliseconds.
    #[must_use]
    pub fn repeat(self, milliseconds: u32) -> Self {
        Self { repeat_ms: milliseconds, ..self }
    }

    /// Notifies resolved alerts too.
    #[must_use]
    pub fn send_resolved(self) -> Self {
        Self { send_resolved: true, ..self }
    }

    /// Sends the token in this file, which Alertmanager reads for each request.
    #[must_use]
    pub fn credentials_file(mut self, path: &Path) -> Self {
        self.http["authorization"] = json!({ "credentials_file": path });
        self
    }

    /// Trusts the authority in this file.
    #[must_use]
    pub fn ca_file(mut self, path: &Path) -> Self {
        self.http["tls_config"] = json!({ "ca_file": path });
        self
    }

    /// Alertmanager's configuration; JSON is valid YAML.
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
                "webhook_configs": [{ "url": self.url, "send_resolved": self.send_resolved, "http_config": self.http }],
            }],
        })
    }
}

impl Alertmanager {
    /// Starts an Alertmanager that notifies `receiver`, and waits until it is ready. Writes its configuration, data and
    /// log to `dir`, under `name`.
    ///
    /// # Errors
    /// If Alertmanager cannot be found or built, rejects its configuration, or is not ready in time.
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
            // Empty: no gossip, and no port for it.
            alertmanager.arg("--cluster.listen-address=");
            alertmanager
        })?;
        let alertmanager = Self { service, client: Client::new(), web };
        alertmanager.service.process()?.until_ready(READY_LIMIT, async || alertmanager.is_ready().await).await?;
        Ok(alertmanager)
    }

    /// Posts alerts to its API in one call.
    ///
    /// # Errors
    /// If it rejects them or does not respond.
    pub async fn post(&self, alerts: &[Alert]) -> Result<()> {
        let request = Request::post(self.url("/api/v2/alerts")).header("content-type", "application/json");
        let body = Value::from_iter(alerts.iter().map(Alert::as_posted)).to_string();
        let response = self.client.send(request, body).await?;
        ensure!(response.status.is_success(), "Alertmanager rejects alerts ({}): {}", response.status, response.text());
        Ok(())
    }

    /// The names of the alerts that it holds as active: received, and not resolved.
    ///
    /// # Errors
    /// If it does not respond.
    pub async fn active(&self) -> Result<BTreeSet<String>> {
        let response = self.client.get(&self.url("/api/v2/alerts?active=true")).await?;
        ensure!(response.status.is_success(), "Alertmanager shows no alerts: {}", response.text());
        let alerts = response.json();
        let names = alerts.as_array().into_iter().flatten().filter_map(|alert| alert["labels"]["alertname"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Where it takes alerts.
    pub fn addr(&self) -> SocketAddr {
        self.web.addr()
    }

    /// Requests so far, by its own metrics.
    ///
    /// # Errors
    /// If it does not respond.
    pub async fn requests(&self) -> Result<Requests> {
        let scrape = self.scrape().await?;
        // Counters, far below the integers that an f64 cannot hold.
        let sum = |name: &str| scrape.sum(name, &[("integration", "webhook")]) as u64;
        let given_up = sum("alertmanager_notifications_failed_total");
        // A scrape is no snapshot: failures may include a request that the total does not yet.
        let total = sum("alertmanager_notification_requests_total");
        let failed = sum("alertmanager_notification_requests_failed_total").min(total);
        Ok(Requests { total, failed, given_up })
    }

    /// Waits until `done` is true of its requests.
    ///
    /// # Errors
    /// If that takes too long, or Alertmanager ends.
    pub async fn until(&self, mut done: impl FnMut(Requests) -> bool) -> Result<Requests> {
        let mut last = None;
        let reached = async || {
            last = self.requests().await.ok();
            last.is_some_and(&mut done)
        };
        let waited = self.service.process()?.until_ready(NOTIFY_LIMIT, reached).await;
        waited.with_context(|| format!("Alertmanager's requests are still {last:?}"))?;
        last.context("Alertmanager does not show its metrics")
    }

    /// Its current metrics.
    ///
    /// # Errors
    /// If it does not respond.
    pub async fn scrape(&self) -> Result<Scrape> {
        Ok(Scrape::new(self.client.get(&self.url("/metrics")).await?.text()))
    }

    /// Its process.
    pub fn service(&self) -> &Service {
        &self.service
    }

    async fn is_ready(&self) -> bool {
        self.client.get(&self.url("/-/ready")).await.is_ok_and(|response| response.status.is_success())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.web.addr())
    }
}
