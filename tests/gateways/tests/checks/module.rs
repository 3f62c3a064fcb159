//! The module and its configuration: missing, dying, replaced, wrong.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Request;
use onceway_gateways::site::MODULE;
use onceway_kit::built;
use onceway_kit::client::{Client, ClientResponse};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::poll;
use onceway_signal::Source;
use serde_json::{Value, json};

use crate::kind::Kind;
use crate::running::{REPLICAS, Running, until_acknowledged};

/// How long a new module or configuration may take until it serves requests.
const LIMIT: Duration = Duration::from_secs(60);
/// Senders of a storm during an upgrade.
const SENDERS: usize = 8;
/// Signals that are acknowledged before and after an upgrade.
const STEP: u64 = 100;

pub(super) async fn signals_pass_and_are_counted_right_without_the_module(running: &mut Running) -> Result<String> {
    if !running.kind.fetches() {
        return Ok("in the image".to_owned());
    }
    let report = running.storm(6).signals(120).concurrency(10).run().await;
    let rejected: u64 =
        report.total().responses.iter().filter(|(status, _)| (400..500).contains(*status)).map(|(_, n)| n).sum();
    ensure!(rejected == 0, "{rejected} rejected, which senders do not repeat: {:?}", report.total().responses);
    running.rig.verdict(&report).await?;
    Ok(String::new())
}

pub(super) async fn a_filter_that_traps_serves_the_next_request(running: &mut Running) -> Result<String> {
    let wasm = tokio::task::spawn_blocking(built::filter::trapping).await??;
    let before = running.use_module("trapping", &wasm).await?;
    let result = trap(running).await;
    running.restore(before).await?;
    result
}

/// Has the filter trap until it does, and then sends what is served.
async fn trap(running: &mut Running) -> Result<String> {
    // Over HTTP/2 all requests of one client reach the same worker, and so the same VM.
    let (client, url) = (Client::http2(), running.gateway.url());
    let incident = &running.incidents(1)[0];
    poll::until(LIMIT, "the module that traps runs", async || {
        let request = Request::post(url.clone() + Source::Prometheus.path()).header("x-trap", "body");
        let request = request.header("content-type", "application/json");
        let response = client.send(request, incident.webhook(0)).await?;
        ensure!(!response.status.is_client_error(), "{}: {}", response.status, response.text());
        Ok((response.status == 503).then_some(()))
    })
    .await?;
    let mut attempts = 0;
    poll::until(LIMIT, "the next request is served", async || {
        attempts += 1;
        let response = client.signal(&url, Source::Prometheus, incident.webhook(1)).await?;
        let served = response.status.is_success();
        ensure!(served || response.status == 503, "{}: {}", response.status, response.text());
        Ok(served.then_some(()))
    })
    .await?;
    Ok(format!("attempt {attempts}"))
}

/// Sends a body of more than `bytes`.
async fn refuse(running: &Running, bytes: usize) -> Result<ClientResponse> {
    let body = webhook(&[Incident::new("prod", "payment-api").alert(0).annotation("filling", &"x".repeat(bytes))]);
    Client::new().signal(&running.gateway.url(), Source::Prometheus, body).await
}

/// Waits until the response to a body of more than `bytes` contains `text`.
async fn until_refused_with(running: &Running, bytes: usize, text: &str) -> Result<()> {
    poll::until(LIMIT, &format!("a 413 that says {text:?}"), async || {
        let response = refuse(running, bytes).await?;
        Ok((response.status == 413 && response.text().contains(text)).then_some(()))
    })
    .await
}

pub(super) async fn a_new_module_takes_over_under_load(running: &mut Running) -> Result<String> {
    const OLD: &[u8] = b"raise max_body_bytes in";
    const NEW: &[u8] = b"raise max_body_octet in";
    let shipped = tokio::task::spawn_blocking(built::filter::path).await??;
    let other = running.site.dir().join("other.wasm");
    std::fs::write(&other, replaced(&std::fs::read(&shipped)?, OLD, NEW)?)?;
    let storm = running.storm(6).endless().concurrency(SENDERS).start();
    until_acknowledged(&storm, STEP).await?;
    let before = running.use_module("other", &other).await?;
    let too_large = 6 * 1024 * 1024;
    let new = until_refused_with(running, too_large, "max_body_octet").await;
    until_acknowledged(&storm, STEP).await?;
    running.restore(before).await?;
    new.context("the new module does not run")?;
    until_refused_with(running, too_large, "raise max_body_bytes")
        .await
        .context("the old module does not run again")?;
    storm.end();
    running.exact(storm).await
}

/// The module with each `old` replaced by a text of the same length.
fn replaced(module: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    ensure!(old.len() == new.len(), "a text of another length would move what follows it");
    let mut module = module.to_vec();
    let places: Vec<usize> =
        module.windows(old.len()).enumerate().filter(|(_, window)| *window == old).map(|(place, _)| place).collect();
    ensure!(!places.is_empty(), "the module does not contain {:?}", String::from_utf8_lossy(old));
    for place in places {
        module[place..place + new.len()].copy_from_slice(new);
    }
    Ok(module)
}

pub(super) async fn a_new_configuration_takes_over_under_load(running: &mut Running) -> Result<String> {
    let storm = running.storm(6).endless().concurrency(SENDERS).start();
    until_acknowledged(&storm, STEP).await?;
    let before = running.installed();
    let mut values = before.0.clone();
    values["config"]["limits"]["maxBodyBytes"] = json!(1_048_576);
    running.upgrade(values).await?;
    let new = until_refused_with(running, 2 * 1024 * 1024, "1048576 bytes").await;
    until_acknowledged(&storm, STEP).await?;
    running.restore(before).await?;
    new.context("the new configuration does not take effect")?;
    storm.end();
    running.exact(storm).await
}

pub(super) async fn a_bad_configuration_is_refused_and_the_old_one_stays(running: &mut Running) -> Result<String> {
    let before = running.installed();
    let rejected = running.rejections().await?;
    let mut values = before.0.clone();
    // What only the filter can check: the schema of the chart leaves it to those who use it.
    values["filter"]["config"] = json!({ "no_such_field": 1 });
    let mut refused = running.upgrade(values).await.map_err(|_| "before Envoy").err();
    if refused.is_none() {
        let rejects = async || Ok((running.rejections().await? > rejected).then_some("by Envoy"));
        refused = poll::until(LIMIT, "Envoy refuses a field that does not exist", rejects).await.ok();
    }
    let incidents = running.incidents(36);
    let url = running.gateway.url();
    let owners = running.rig.settled_owners(&url, &incidents, &mut 0, REPLICAS).await;
    running.restore(before).await?;
    owners.context("the old configuration does not serve")?;
    Ok(refused.context("nobody refuses a configuration with a field that does not exist")?.to_owned())
}

impl Running {
    /// Has the gateway run this module; returns what [`Running::restore`] takes.
    async fn use_module(&mut self, name: &str, wasm: &Path) -> Result<(Value, PathBuf)> {
        let before = self.installed();
        self.module = wasm.to_owned();
        let mut values = before.0.clone();
        if self.kind != Kind::Plain {
            let digest = self.site.registry.push_module(wasm, &format!("{MODULE}-{name}")).await?;
            values["filter"] = json!({
                "repository": self.site.registry.repository(&format!("{MODULE}-{name}")),
                "digest": digest,
            });
        }
        self.upgrade(values).await?;
        Ok(before)
    }

    /// The values and the module that are installed.
    fn installed(&self) -> (Value, PathBuf) {
        (self.values.clone(), self.module.clone())
    }

    /// Installs what was installed before.
    async fn restore(&mut self, (values, module): (Value, PathBuf)) -> Result<()> {
        self.module = module;
        self.upgrade(values).await
    }

    /// How many configurations Envoy has rejected.
    async fn rejections(&self) -> Result<u64> {
        const COUNTERS: [&str; 3] = ["update_rejected", "config_fail", "config_conflict"];
        let stats = Client::new().get(&(self.gateway.admin_url() + "/stats?usedonly")).await?.text();
        let rejected = stats.lines().filter(|line| COUNTERS.iter().any(|counter| line.contains(counter)));
        Ok(rejected.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }
}
