//! What the comments of `envoy/onceway.yaml` claim, on a real Envoy.

use std::time::Duration;

use anyhow::{Result, ensure};
use onceway_kit::client::Client;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Source;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// The limit of a body, in bytes, in the filter's configuration and the sidecar's.
const BODY_LIMIT: usize = 5 * 1024 * 1024;
/// How long to wait for Envoy's own timers.
const LIMIT: Duration = Duration::from_secs(60);

/// A webhook of exactly this size, padded with white space.
fn padded(incident: &Incident, bytes: usize) -> String {
    let body = incident.webhook(0);
    let padding = " ".repeat(bytes - body.len());
    body + &padding
}

#[tokio::test]
async fn the_body_limit_is_exact_and_beyond_it_the_filter_returns_413_over_http_1_and_2() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    for client in [Client::new(), Client::http2()] {
        let at = client.signal(&rig.envoy().url(), Source::Prometheus, padded(&incident, BODY_LIMIT)).await?;
        assert!(at.status.is_success(), "{} {}", at.status, at.text());
        let over = client.signal(&rig.envoy().url(), Source::Prometheus, padded(&incident, BODY_LIMIT + 1)).await?;
        assert_eq!(over.status, 413);
        assert_eq!(over.header("content-type"), Some("application/problem+json"), "{}", over.text());
    }
    assert_eq!(rig.rrs().await?[0].count(), 2);
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_not_a_signal_reaches_no_replica() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().start().await?;
    let requests =
        async || anyhow::Ok(rig.sidecar(0).scrape().await?.sum("gateway_http_request_duration_seconds_count", &[]));
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.client().clone().alert(rig.envoy().url(), incident.webhook(0)).await?.status, 201);
    assert_eq!(requests().await?, 1.0);
    for path in ["/", "/readyz", "/metrics", "/api/v1/signals", "/api/v1/signals%2Fprometheus"] {
        let response = rig.client().get(&(rig.envoy().url() + path)).await?;
        assert!(response.status.is_client_error(), "{path}: {}", response.status);
    }
    assert_eq!(requests().await?, 1.0);
    Ok(())
}

#[tokio::test]
async fn a_frozen_replica_is_ejected_and_its_requests_get_503_in_time_to_be_sent_again() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let send = async |n| rig.client().clone().alert(rig.envoy().url(), incident.webhook(n)).await;
    assert_eq!(send(0).await?.status, 201);
    let owner = rig.record().read(|calls| calls.last().expect("it wrote").replica.clone());
    let owner = rig.sidecars().iter().find(|sidecar| sidecar.name() == owner).expect("it is a replica");

    owner.service().freeze()?;
    let frozen = Instant::now();
    let held = send(1).await?;
    assert!(held.status.is_server_error(), "{} after {:?}", held.status, frozen.elapsed());
    rig.envoy().until_healthy(1).await?;
    // Envoy's keepalive ended it (2 s and 2 s), not the route's timeout (9 s), which leaves the connection open.
    let closed = rig.envoy().stats().await?.sum("envoy_cluster_http2_keepalive_timeout", &[]);
    assert!(closed >= 1.0, "{} after {:?}", held.status, frozen.elapsed());
    let mut attempts = 1;
    let again = loop {
        attempts += 1;
        let again = send(1).await?;
        // Envoy's workers learn about a replica after its main thread, which serves the admin page.
        if again.status != 503 || frozen.elapsed() > LIMIT {
            break again;
        }
    };
    assert_eq!(again.status, 202);

    owner.service().thaw()?;
    rig.envoy().until_healthy(2).await?;
    assert_eq!(send(2).await?.status, 202);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!(rrs.len(), 1);
    // The frozen replica may count its request when it is thawed; that was not acknowledged.
    assert!((3..=2 + attempts).contains(&rrs[0].count()), "{} after {attempts} attempts", rrs[0].count());
    Ok(())
}

#[tokio::test]
async fn a_sender_that_is_too_slow_gets_503() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().start().await?;
    let authority = rig.envoy().url().trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&authority).await?;
    let path = Source::Prometheus.path();
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{");
    connection.write_all(head.as_bytes()).await?;
    // Envoy's request_timeout is 15 s.
    let mut response = Vec::new();
    while !response.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = timeout(LIMIT, connection.read_buf(&mut response)).await??;
        ensure!(read > 0, "closed after {response:?}");
    }
    let response = String::from_utf8_lossy(&response).to_lowercase();
    assert!(response.starts_with("http/1.1 503 ") && response.contains("retry-after: 1"), "{response}");
    Ok(())
}
