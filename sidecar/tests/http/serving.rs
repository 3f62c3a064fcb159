//! The three ports on loopback: served until shutdown, then drained.

use std::future::pending;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use onceway::app::serving::{OPS_CONNECTIONS, Serving, serve_until};
use onceway::app::sockets::Sockets;
use onceway::auth::Auth;
use onceway::config::Config;
use onceway::health::Readiness;
use onceway::metrics::Metrics;
use onceway_signal::rules::Rules;
use onceway_signal::{Fingerprint, Origin, Source, decode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::ledger::{Ledger, Script};

const BODY: &str =
    r#"{"alerts":[{"status":"firing","labels":{"alertname":"A","namespace":"prod","deployment":"api"}}]}"#;
const SOON: Duration = Duration::from_secs(10);

fn fingerprint() -> Fingerprint {
    decode(Rules::built_in(), Origin::of(Source::Prometheus), BODY.as_bytes()).unwrap().groups()[0].fingerprint
}

/// All three ports of a sidecar on loopback, over a [`Ledger`].
struct Rig {
    ledger: Arc<Ledger>,
    readiness: Readiness,
    signals: SocketAddr,
    health: SocketAddr,
    metrics: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Rig {
    async fn new(lame_duck: Duration, drain_timeout: Duration) -> Self {
        Self::with_background(lame_duck, drain_timeout, pending()).await
    }

    async fn with_background(
        lame_duck: Duration,
        drain_timeout: Duration,
        background: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let mut config =
            Config::parse("listen: {signals: '127.0.0.1:0', health: '127.0.0.1:0', metrics: '127.0.0.1:0'}").unwrap();
        config.shutdown.lame_duck = lame_duck;
        config.shutdown.drain_timeout = drain_timeout;
        let sockets = Sockets::bind(&config.listen).await.unwrap();
        sockets.log().unwrap();
        let (ledger, readiness) = (Ledger::new(), Readiness::default());
        let [signals, health, metrics] =
            [&sockets.signals, &sockets.health, &sockets.metrics].map(|socket| socket.local_addr().unwrap());
        let (shutdown, requested) = oneshot::channel::<()>();
        let (commit, ready) = (Arc::clone(&ledger), readiness.clone());
        let background = AbortOnDropHandle::new(tokio::spawn(background));
        let running = tokio::spawn(async move {
            let requested = async { requested.await.unwrap() };
            let metrics = Arc::new(Metrics::new());
            let auth = Arc::new(Auth::disabled(&metrics));
            let serving = Serving { commit, auth, metrics, readiness: ready, traces: onceway::traces::Traces::off() };
            serve_until(requested, &config, sockets, serving, background).await
        });
        Self { ledger, readiness, signals, health, metrics, shutdown: Some(shutdown), running }
    }

    fn shut_down(&mut self) {
        self.shutdown.take().unwrap().send(()).unwrap();
    }

    async fn ended(self) -> anyhow::Result<()> {
        timeout(SOON, self.running).await.expect("it ends").unwrap()
    }
}

/// Sends one request over a new connection; returns the response as text.
async fn exchange(address: SocketAddr, request: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: onceway\r\nConnection: close\r\nContent-Length: {length}\r\n");
    let rest = format!("Content-Type: application/json\r\n\r\n{body}");
    stream.write_all((head + &rest).as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

async fn post(address: SocketAddr) -> std::io::Result<String> {
    exchange(address, &format!("POST {}", Source::Prometheus.path()), BODY).await
}

async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, &format!("GET {path}"), "").await.unwrap()
}

#[tokio::test]
async fn all_three_ports_are_served_until_shutdown() {
    let mut rig = Rig::new(Duration::ZERO, SOON).await;
    assert!(post(rig.signals).await.unwrap().starts_with("HTTP/1.1 201 "));
    assert!(get(rig.health, "/readyz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(rig.metrics, "/metrics").await.contains("gateway_signals_received_total"));
    rig.shut_down();
    let (signals, health) = (rig.signals, rig.health);
    rig.ended().await.unwrap();
    assert!(post(signals).await.is_err() && TcpStream::connect(health).await.is_err());
}

#[tokio::test]
async fn a_lame_duck_is_not_ready_and_still_accepts_signals() {
    let mut rig = Rig::new(Duration::from_secs(3600), SOON).await;
    rig.shut_down();
    while rig.readiness.reasons().is_empty() {
        tokio::task::yield_now().await;
    }
    let response = get(rig.health, "/readyz").await;
    assert!(response.starts_with("HTTP/1.1 503 ") && response.contains("draining"), "{response}");
    assert!(post(rig.signals).await.unwrap().starts_with("HTTP/1.1 201 "));
    rig.running.abort();
}

#[tokio::test]
async fn requests_in_flight_get_their_response_before_it_exits() {
    let mut rig = Rig::new(Duration::ZERO, SOON).await;
    rig.ledger.script(fingerprint(), Script::Hold);
    let in_flight = tokio::spawn(post(rig.signals));
    rig.ledger.held.notified().await;
    rig.shut_down();
    while TcpStream::connect(rig.signals).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(get(rig.health, "/readyz").await.starts_with("HTTP/1.1 503 "));
    rig.ledger.release.notify_one();
    assert!(in_flight.await.unwrap().unwrap().starts_with("HTTP/1.1 201 "));
    rig.ended().await.unwrap();
}

#[tokio::test]
async fn a_drain_that_takes_too_long_is_an_error() {
    let mut rig = Rig::new(Duration::ZERO, Duration::from_millis(50)).await;
    rig.ledger.script(fingerprint(), Script::Hang);
    let in_flight = tokio::spawn(post(rig.signals));
    tokio::task::yield_now().await;
    while !get(rig.metrics, "/metrics").await.contains("gateway_http_requests_in_flight 1\n") {
        tokio::task::yield_now().await;
    }
    rig.shut_down();
    let error = rig.ended().await.unwrap_err().to_string();
    assert!(error.contains("shutdown.drainTimeout"), "{error}");
    in_flight.abort();
}

#[tokio::test]
async fn it_exits_when_the_background_task_has_ended() {
    let panicking = async { panic!("scripted") };
    let rig = Rig::with_background(Duration::ZERO, SOON, panicking).await;
    let error = format!("{:#}", rig.ended().await.unwrap_err());
    assert!(error.contains("index") && error.contains("scripted"), "{error}");
}

#[tokio::test]
async fn connections_that_are_kept_open_do_not_block_probes() {
    let rig = Rig::new(Duration::ZERO, SOON).await;
    let mut open = Vec::new();
    for _ in 0..OPS_CONNECTIONS {
        let mut stream = TcpStream::connect(rig.health).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: onceway\r\n\r\n").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'H');
        open.push(stream);
    }
    let probe = timeout(SOON, get(rig.health, "/livez")).await.expect("a probe gets a response");
    assert!(probe.starts_with("HTTP/1.1 200 "), "{probe}");
}

#[tokio::test]
async fn by_default_it_listens_on_every_address_of_both_families() {
    let mut listen = Config::default().listen;
    for address in [&mut listen.signals, &mut listen.health, &mut listen.metrics] {
        address.set_port(0);
    }
    let sockets = Sockets::bind(&listen).await.unwrap();
    let port = sockets.signals.local_addr().unwrap().port();
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    // Only where the machine has IPv6.
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.is_ok() {
        TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.unwrap();
    }
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_key() {
    let rig = Rig::new(Duration::ZERO, SOON).await;
    let mut listen = Config::default().listen;
    listen.signals = rig.signals;
    let error = Sockets::bind(&listen).await.unwrap_err().to_string();
    assert!(error.contains("listen.signals") && error.contains(&rig.signals.to_string()), "{error}");
}
