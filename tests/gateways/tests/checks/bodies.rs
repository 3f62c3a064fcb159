//! Bodies that are large, or slow to arrive.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::rig::RrExt;
use onceway_signal::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::running::Running;

/// The default of `limits.maxBodyBytes`.
const MAX_BODY_BYTES: usize = 5 * 1024 * 1024;
/// More than any gateway's time for a request to arrive.
const SLOW_LIMIT: Duration = Duration::from_secs(25);
/// Bytes by which the times of two webhooks may differ in length.
const TIMES: usize = 64;
/// Bytes of a response that are read at most.
const RESPONSE_BYTES: usize = 64 * 1024;

/// A webhook of this many bytes.
fn webhook_of(incident: &Incident, bytes: usize) -> Result<String> {
    let with = |text: &str| webhook(&[incident.alert(0).annotation("description", text)]);
    // Its times may be shorter or longer the next time.
    let filling = bytes.checked_sub(with("").len() + TIMES).context("the webhook alone is larger")?;
    // An annotation stands in the alert, and once more in the common annotations.
    let mut text = with(&"x".repeat(filling / 2));
    // JSON may end with white space.
    text.push_str(&" ".repeat(bytes - text.len()));
    Ok(text)
}

pub(super) async fn a_body_of_40_kb_is_counted(running: &mut Running) -> Result<String> {
    counted(running, 40_000).await
}

pub(super) async fn a_body_of_5_mib_is_counted_and_a_larger_one_is_refused(running: &mut Running) -> Result<String> {
    counted(running, MAX_BODY_BYTES).await?;
    let incident = &running.incidents(1)[0];
    let body = webhook_of(incident, MAX_BODY_BYTES + 1)?;
    let response = running.rig.client().clone().alert(running.gateway.url(), body).await?;
    ensure!(response.status == 413, "{}: {}", response.status, response.text());
    let said = response.text();
    ensure!(said.contains("max_body_bytes"), "not the filter's response: {said}");
    ensure!(running.rig.rrs_of(incident).await?.is_empty(), "it was counted");
    Ok(String::new())
}

async fn counted(running: &mut Running, bytes: usize) -> Result<String> {
    let incident = &running.incidents(1)[0];
    let body = webhook_of(incident, bytes)?;
    ensure!(body.len() == bytes, "{} bytes", body.len());
    let response = running.rig.client().clone().alert(running.gateway.url(), body).await?;
    ensure!(response.status == 201, "{}: {}", response.status, response.text());
    let rrs = running.rig.rrs_of(incident).await?;
    ensure!(rrs.len() == 1 && rrs[0].count() == 1, "{} RRs", rrs.len());
    Ok(String::new())
}

pub(super) async fn a_slow_sender_gets_503_and_may_send_again(running: &mut Running) -> Result<String> {
    let url = running.gateway.url();
    let mut connection = TcpStream::connect(url.trim_start_matches("http://")).await?;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: onceway\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{{\"version\"",
        Source::Prometheus.path()
    );
    connection.write_all(head.as_bytes()).await?;
    let mut response = Vec::new();
    let mut chunk = [0; 4096];
    let read = async {
        while !response.windows(4).any(|window| window == b"\r\n\r\n") && response.len() < RESPONSE_BYTES {
            match connection.read(&mut chunk).await? {
                0 => break,
                length => response.extend_from_slice(&chunk[..length]),
            }
        }
        anyhow::Ok(())
    };
    timeout(SLOW_LIMIT, read).await.context("no response to a request that never ends")??;
    let response = String::from_utf8_lossy(&response).to_lowercase();
    ensure!(response.starts_with("http/1.1 503"), "{response}");
    ensure!(response.contains("\r\nretry-after:"), "{response}");
    Ok(String::new())
}
