//! A real Prometheus that scrapes a rig, evaluates rules and notifies an Alertmanager.
//!
//! Tests cannot wait as long as operators: [`Pace`] divides every duration of rules and scrapes by the same number and changes
//! nothing else.
//!
//! ```no_run
//! # async fn example(rig: &onceway_kit::rig::Rig) -> anyhow::Result<()> {
//! use onceway_kit::prometheus::{Job, Pace, Prometheus, Settings};
//!
//! let jobs = vec![Job::sidecars(rig), Job::envoy(rig)];
//! let settings = Settings { jobs, rules: String::from("groups: []"), pace: Pace::REAL, alertmanager: None };
//! let prometheus = Prometheus::start("prometheus", rig.dir(), settings).await?;
//! prometheus.until_value("count(up == 1)", |value| value == 4.0).await?;
//! # Ok(())
//! # }
//! ```

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway_tools::Tool;
use serde_json::{Value, json};

use crate::client::Client;
use crate::poll;
use crate::ports::Port;
use crate::rig::Rig;
use crate::service::Service;
use crate::sidecar::Sidecar;

mod answer;
mod pace;
mod promtool;

pub use self::answer::{Sample, Series};
pub use self::pace::Pace;
pub use self::promtool::promtool;

/// Limit for the start, and for a value to become what is wanted.
const LIMIT: Duration = Duration::from_secs(60);
/// How often Prometheus scrapes and evaluates by default, in milliseconds: as the chart's PodMonitor and the operator do.
const INTERVAL_MS: u64 = 30_000;
/// How long a sample counts as current by default, in milliseconds: Prometheus' own default.
const LOOKBACK_MS: u64 = 300_000;

/// A running Prometheus; it stops when dropped.
pub struct Prometheus {
    service: Service,
    client: Client,
    web: Port,
}

/// What a Prometheus does.
pub struct Settings {
    /// What it scrapes.
    pub jobs: Vec<Job>,
    /// The text of its rule file, at the real pace; empty for none.
    pub rules: String,
    /// How much faster than in reality everything happens.
    pub pace: Pace,
    /// The Alertmanager that it notifies.
    pub alertmanager: Option<SocketAddr>,
}

/// Targets that are scraped alike.
#[derive(Clone, Debug)]
pub struct Job {
    name: &'static str,
    path: &'static str,
    targets: Vec<SocketAddr>,
}

impl Job {
    /// The sidecars of a rig, under the name that `deploy/rules/onceway.yaml` has for them.
    pub fn sidecars(rig: &Rig) -> Self {
        let targets = rig.sidecars().iter().map(Sidecar::metrics).collect();
        Self { name: "onceway", path: "/metrics", targets }
    }

    /// The Envoy of a rig, under the name that `deploy/rules/onceway.yaml` has for it.
    ///
    /// # Panics
    /// If the rig has none.
    pub fn envoy(rig: &Rig) -> Self {
        Self { name: "onceway-envoy", path: "/stats/prometheus", targets: vec![rig.envoy().stats_addr()] }
    }

    fn config(&self) -> Value {
        json!({ "job_name": self.name, "metrics_path": self.path, "static_configs": [{ "targets": self.targets }] })
    }
}

impl Settings {
    /// Prometheus' configuration; JSON is valid YAML.
    fn config(&self, rules: &Path) -> Value {
        let interval = self.pace.text(INTERVAL_MS);
        let alertmanagers: Vec<Value> =
            self.alertmanager.iter().map(|address| json!({ "static_configs": [{ "targets": [address] }] })).collect();
        let rule_files: Vec<&Path> = if self.rules.is_empty() { Vec::new() } else { vec![rules] };
        json!({
            "global": { "scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval },
            "rule_files": rule_files,
            "alerting": { "alertmanagers": alertmanagers },
            "scrape_configs": self.jobs.iter().map(Job::config).collect::<Vec<_>>(),
        })
    }
}

impl Prometheus {
    /// Starts a Prometheus and waits until it is ready. Writes its configuration, rules, data and log to `dir`, under `name`.
    ///
    /// # Errors
    /// If Prometheus cannot be built, rejects its configuration or rules, or is not ready in time.
    pub async fn start(name: &str, dir: &Path, settings: Settings) -> Result<Self> {
        let (config, rules) = (dir.join(format!("{name}.yml")), dir.join(format!("{name}-rules.yml")));
        fs::write(&rules, settings.pace.rules(&settings.rules)?)?;
        fs::write(&config, format!("{:#}\n", settings.config(&rules)))?;
        let program = tokio::task::spawn_blocking(|| Tool::Prometheus.get()).await??;
        let web = Port::reserve()?;
        let (address, data) = (web.addr(), dir.join(format!("{name}-data")));
        let (lookback, resend) = (settings.pace.text(LOOKBACK_MS), settings.pace.text(60_000));
        let service = Service::start(name, dir, move || {
            let mut prometheus = Command::new(&program);
            prometheus.arg(format!("--config.file={}", config.display()));
            prometheus.arg(format!("--storage.tsdb.path={}", data.display()));
            prometheus.arg(format!("--web.listen-address={address}"));
            prometheus.arg(format!("--query.lookback-delta={lookback}"));
            prometheus.arg(format!("--rules.alert.resend-delay={resend}"));
            prometheus.arg("--log.level=warn");
            prometheus
        })?;
        let prometheus = Self { service, client: Client::new(), web };
        prometheus.service.process()?.until_ready(LIMIT, async || prometheus.is_ready().await).await?;
        Ok(prometheus)
    }

    /// The value of each series that `query` selects or computes now.
    ///
    /// # Errors
    /// If Prometheus rejects the query, or does not respond.
    pub async fn query(&self, query: &str) -> Result<Vec<Sample>> {
        answer::samples(&self.api("query", &[("query", query)]).await?)
    }

    /// The values of each series that `query` selects or computes from `start` to `end` (Unix times), every `step` seconds.
    ///
    /// # Errors
    /// If Prometheus rejects the query, or does not respond.
    pub async fn query_range(&self, query: &str, start: f64, end: f64, step: f64) -> Result<Vec<Series>> {
        let (start, end, step) = (start.to_string(), end.to_string(), step.to_string());
        let parameters = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        answer::series(&self.api("query_range", &parameters).await?)
    }

    /// The names of the metrics that `query` selects.
    ///
    /// # Errors
    /// If Prometheus cannot parse the query, or does not respond.
    pub async fn metrics_of(&self, query: &str) -> Result<Vec<String>> {
        Ok(answer::metric_names(&self.api("parse_query", &[("query", query)]).await?))
    }

    /// The alerts that are firing, by name.
    ///
    /// # Errors
    /// If Prometheus does not respond.
    pub async fn firing(&self) -> Result<Vec<String>> {
        let samples = self.query(r#"ALERTS{alertstate="firing"}"#).await?;
        Ok(samples.into_iter().filter_map(|mut sample| sample.labels.remove("alertname")).collect())
    }

    /// Waits until `query` has one value, and that is as `wanted`.
    ///
    /// # Errors
    /// If Prometheus rejects the query, or that takes too long.
    pub async fn until_value(&self, query: &str, wanted: impl Fn(f64) -> bool) -> Result<f64> {
        poll::until(LIMIT, query, async || {
            let samples = self.query(query).await?;
            Ok(samples.first().map(|sample| sample.value).filter(|value| samples.len() == 1 && wanted(*value)))
        })
        .await
    }

    /// Its process.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// The `data` of a response of its API.
    async fn api(&self, method: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let mut url = format!("http://{}/api/v1/{method}?", self.web.addr());
        for (name, value) in parameters {
            url += &format!("{name}={}&", answer::percent_encoded(value));
        }
        let mut response = self.client.get(&url).await?.json();
        ensure!(response["status"] == "success", "Prometheus: {} {:?}", response["error"], parameters);
        response.get_mut("data").map(Value::take).context("a response without data")
    }

    async fn is_ready(&self) -> bool {
        let url = format!("http://{}/-/ready", self.web.addr());
        self.client.get(&url).await.is_ok_and(|response| response.status.is_success())
    }
}
