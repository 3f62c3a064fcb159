//! The API server's seats (API Priority and Fairness): the chart's settings, and the API server's own metrics of them.

use std::time::Duration;

use anyhow::{Context, Result};
use http::Request;
use k8s_openapi::api::flowcontrol::v1::{FlowSchema, PriorityLevelConfiguration};
use kube::Client;
use serde_json::Value;

use super::deploy::{self, RENDERED};
use super::{Cluster, Namespace};
use crate::exposition::Scrape;
use crate::poll;

/// How long the API server may take to follow a new FlowSchema.
const FOLLOWED: Duration = Duration::from_secs(30);
/// The prefix of its metrics.
const PREFIX: &str = "apiserver_flowcontrol";

/// One scrape of the API server's metrics.
pub struct FlowControl(Scrape);

/// The requests of a priority level, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelRequests {
    /// Those that wait for a seat.
    pub waiting: u64,
    /// Those that have one.
    pub executing: u64,
}

impl Namespace {
    /// Applies the FlowSchema of the chart and its PriorityLevelConfiguration for the sidecars of this namespace, and waits until
    /// the API server follows them. Returns their name.
    ///
    /// # Errors
    /// If the chart has none, or the API server rejects them or does not follow them in time.
    pub async fn apply_flow_control(&self) -> Result<String> {
        let mut name = None;
        for mut document in deploy::documents(RENDERED)? {
            match document["kind"].as_str() {
                Some("PriorityLevelConfiguration") => {
                    deploy::rename(&mut document["metadata"]["name"], self.name());
                    name = Some(deploy::apply_all::<PriorityLevelConfiguration>(self.client(), &document).await?);
                }
                Some("FlowSchema") => {
                    put_into(&mut document, self.name());
                    deploy::apply_all::<FlowSchema>(self.client(), &document).await?;
                }
                _ => {}
            }
        }
        let name = name.with_context(|| format!("no PriorityLevelConfiguration in {RENDERED}"))?;
        let sidecar = self.sidecars_client()?;
        poll::until(FOLLOWED, "the API server follows the FlowSchema", async || {
            // A request of the account; which one does not matter.
            let request = Request::get("/version").body(Vec::new())?;
            sidecar.request_text(request).await?;
            let dispatched = self.cluster().flow_control().await?.dispatched(&name);
            Ok((dispatched > 0.0).then_some(()))
        })
        .await?;
        Ok(name)
    }
}

impl Cluster {
    /// The API server's metrics of its seats, now.
    ///
    /// # Errors
    /// If it does not respond.
    pub async fn flow_control(&self) -> Result<FlowControl> {
        FlowControl::scrape(&self.client()?).await
    }
}

impl Cluster {
    /// The requests of this priority level, as the API server dumps them: unlike its metrics it needs no etcd for that.
    ///
    /// # Errors
    /// If it does not respond, or has no such level.
    pub async fn level_requests(&self, level: &str) -> Result<LevelRequests> {
        const PATH: &str = "/debug/api_priority_and_fairness/dump_priority_levels";
        let text = self.client()?.request_text(Request::get(PATH).body(Vec::new())?).await?;
        requests_of(&text, level).with_context(|| format!("no priority level {level} in:\n{text}"))
    }
}

/// The row of a level in a table whose first row names the columns.
fn requests_of(text: &str, level: &str) -> Option<LevelRequests> {
    let mut rows = text.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let head = rows.next()?;
    let row = rows.find(|row| row.first() == Some(&level))?;
    let cell = |name| row.get(head.iter().position(|column| *column == name)?)?.parse().ok();
    Some(LevelRequests { waiting: cell("WaitingRequests")?, executing: cell("ExecutingRequests")? })
}

impl FlowControl {
    /// The metrics as `client` may read them. No limit of seats holds up a client with all rights.
    ///
    /// # Errors
    /// If the API server does not respond.
    pub async fn scrape(client: &Client) -> Result<Self> {
        let text = client.request_text(Request::get("/metrics").body(Vec::new())?).await;
        Ok(Self(Scrape::new(text.context("no metrics of the API server")?)))
    }

    /// Requests of this FlowSchema that got a seat, ever.
    pub fn dispatched(&self, schema: &str) -> f64 {
        self.of_schema("dispatched_requests_total", schema)
    }

    /// Requests of this FlowSchema that were rejected with 429 because no queue had room, ever. The API server counts those whose
    /// client gave up while they waited as timed out: they are not in it.
    pub fn rejected(&self, schema: &str) -> f64 {
        let because = |reason| {
            let labels = [("flow_schema", schema), ("reason", reason)];
            self.0.sum(&format!("{PREFIX}_rejected_requests_total"), &labels)
        };
        ["queue-full", "concurrency-limit"].into_iter().map(because).sum()
    }

    /// Requests of this FlowSchema that wait for a seat.
    pub fn waiting(&self, schema: &str) -> f64 {
        self.of_schema("current_inqueue_requests", schema)
    }

    /// Seats that requests of this priority level have.
    pub fn seats(&self, level: &str) -> f64 {
        self.of_level("current_executing_seats", level)
    }

    /// Seats that this priority level has by its shares, while none is lent.
    pub fn nominal_seats(&self, level: &str) -> f64 {
        self.of_level("nominal_limit_seats", level)
    }

    /// Seats that this priority level may have with those that it may borrow.
    pub fn most_seats(&self, level: &str) -> f64 {
        self.of_level("upper_limit_seats", level)
    }

    fn of_schema(&self, metric: &str, schema: &str) -> f64 {
        self.0.sum(&format!("{PREFIX}_{metric}"), &[("flow_schema", schema)])
    }

    fn of_level(&self, metric: &str, level: &str) -> f64 {
        self.0.sum(&format!("{PREFIX}_{metric}"), &[("priority_level", level)])
    }
}

/// Makes the FlowSchema one for the sidecars of `namespace`.
fn put_into(schema: &mut Value, namespace: &str) {
    deploy::rename(&mut schema["metadata"]["name"], namespace);
    deploy::rename(&mut schema["spec"]["priorityLevelConfiguration"]["name"], namespace);
    for rule in schema["spec"]["rules"].as_array_mut().into_iter().flatten() {
        for subject in rule["subjects"].as_array_mut().into_iter().flatten() {
            subject["serviceAccount"]["namespace"] = namespace.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LevelRequests, requests_of};

    #[test]
    fn the_requests_of_a_level_are_read_from_its_row() {
        let text = "PriorityLevelName, ActiveQueues, WaitingRequests, ExecutingRequests,\n\
                    exempt,            <none>,       <none>,          <none>,\n\
                    workload-low,      2,            7,               24,\n";
        assert_eq!(requests_of(text, "workload-low"), Some(LevelRequests { waiting: 7, executing: 24 }));
        assert_eq!(requests_of(text, "exempt"), None);
        assert_eq!(requests_of(text, "workload"), None);
    }
}
