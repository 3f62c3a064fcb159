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

    /// Requests of this FlowSchema that got none and were responded to with 429, ever.
    pub fn rejected(&self, schema: &str) -> f64 {
        self.of_schema("rejected_requests_total", schema)
    }

    /// Requests of this FlowSchema that wait for a seat.
    pub fn waiting(&self, schema: &str) -> f64 {
        self.of_schema("current_inqueue_requests", schema)
    }

    /// Requests of this FlowSchema that have a seat.
    pub fn executing(&self, schema: &str) -> f64 {
        self.of_schema("current_executing_requests", schema)
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
