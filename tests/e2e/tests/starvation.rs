//! Silent sockets, as many as an attacker's one address can hold, beside probes and honest posts from that address.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use onceway_kit::client::Client;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

const SILENT_ON_HEALTH: usize = 1000;
const SILENT_ON_SIGNALS: usize = 2000;
/// Opened before each honest request, so that the attack goes on.
const SILENT_BETWEEN: usize = 50;
const REQUESTS: u64 = 20;
/// How long an honest request may take, its connection included.
const BAR: Duration = Duration::from_secs(1);

/// Opens sockets that never send a byte.
async fn silent(address: SocketAddr, count: usize, held: &mut Vec<TcpStream>) -> Result<()> {
    for _ in 0..count {
        let opened = timeout(BAR, TcpStream::connect(address)).await.context("the backlog is full")?;
        held.push(opened.context("cannot open a silent socket")?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_silent_sockets_fail_no_probe_and_no_honest_post_of_the_same_address() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    let (sidecar, incident) = (rig.sidecar(0), Incident::new("prod", "payment-api"));
    rig.alert(0, &incident, 0).await?;

    let mut held = Vec::new();
    silent(sidecar.health(), SILENT_ON_HEALTH, &mut held).await?;
    silent(sidecar.signals(), SILENT_ON_SIGNALS, &mut held).await?;
    let (mut slowest_probe, mut slowest_post) = (Duration::ZERO, Duration::ZERO);
    for n in 1..=REQUESTS {
        silent(sidecar.health(), SILENT_BETWEEN, &mut held).await?;
        let began = Instant::now();
        // A client of its own has a connection of its own.
        let probe = Client::new().get(&format!("http://{}/livez", sidecar.health())).await?;
        slowest_probe = slowest_probe.max(began.elapsed());
        ensure!(probe.status == 200, "probe {n}: {}", probe.status);

        silent(sidecar.signals(), SILENT_BETWEEN, &mut held).await?;
        let began = Instant::now();
        let post = Client::new().alert(sidecar.url(), incident.webhook(n)).await?;
        slowest_post = slowest_post.max(began.elapsed());
        ensure!(post.status == 202, "post {n}: {}", post.text());
    }
    println!("slowest of {REQUESTS}: probe {slowest_probe:?}, post {slowest_post:?}; {} silent sockets", held.len());
    assert!(slowest_probe < BAR, "a probe took {slowest_probe:?}");
    assert!(slowest_post < BAR, "a post took {slowest_post:?}");

    let scrape = sidecar.scrape().await?;
    let evicted = |port| scrape.sum("gateway_http_connections_evicted_total", &[("port", port), ("reason", "peer")]);
    assert!(evicted("health") >= 900.0 && evicted("signals") >= 1400.0, "{}", scrape.text());
    assert!(scrape.sum("gateway_http_connections", &[]) <= 1024.0);
    assert_eq!(rig.rrs_of(&incident).await?.len(), 1);
    Ok(())
}
