use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{Socket, SocketLimits, serve};
use crate::metrics::{Metrics, Port};
use crate::tls::Acceptor;

mod starvation;
mod tls;

const SOON: Duration = Duration::from_secs(10);
/// Short enough to wait for, long enough for a busy machine to send a request.
const LIMIT: Duration = Duration::from_secs(1);

const LIMITS: SocketLimits = SocketLimits {
    connections: 8,
    per_peer: 8,
    header_timeout: SOON,
    idle_timeout: SOON,
    write_timeout: SOON,
    once: false,
};
/// More than the socket buffers of both sides hold.
const LARGE: usize = 64 * 1024 * 1024;

/// A server on loopback whose `/slow` responds once `release` is notified.
struct Rig {
    address: std::net::SocketAddr,
    metrics: Arc<Metrics>,
    slow_started: Arc<Notify>,
    release: Arc<Notify>,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Rig {
    async fn new(connections: usize, header_timeout: Duration) -> Self {
        Self::with(SocketLimits { connections, header_timeout, ..LIMITS }).await
    }

    async fn with(limits: SocketLimits) -> Self {
        Self::with_tls(limits, None).await
    }

    async fn with_tls(limits: SocketLimits, tls: Option<Acceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (slow_started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (metrics, stop) = (Arc::new(Metrics::new()), CancellationToken::new());
        let slow = {
            let (slow_started, release) = (Arc::clone(&slow_started), Arc::clone(&release));
            move || async move {
                slow_started.notify_one();
                release.notified().await;
                "slow"
            }
        };
        let large = get(async || vec![0; LARGE]);
        let router =
            Router::new().route("/fast", get(async || "fast")).route("/slow", get(slow)).route("/large", large);
        let socket = Socket { listener, port: Port::Signals, limits, tls };
        let server = tokio::spawn(serve(socket, router, Arc::clone(&metrics), stop.clone()));
        Self { address, metrics, slow_started, release, stop, server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn h1(&self) -> http1::SendRequest<Empty<Bytes>> {
        let (sender, connection) = http1::handshake(TokioIo::new(self.connect().await)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn h2(&self) -> http2::SendRequest<Empty<Bytes>> {
        let io = TokioIo::new(self.connect().await);
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://onceway{path}")).body(Empty::new()).unwrap()
}

/// Reads until the server closes; returns the number of bytes read.
async fn closed(stream: &mut TcpStream) -> usize {
    let mut rest = Vec::new();
    timeout(SOON, stream.read_to_end(&mut rest)).await.expect("the server closes it").unwrap_or_default()
}

/// Opens a connection and has a request answered on it.
async fn used(rig: &Rig) -> TcpStream {
    let mut stream = rig.connect().await;
    stream.write_all(b"GET /fast HTTP/1.1\r\nHost: onceway\r\n\r\n").await.unwrap();
    assert_eq!(timeout(SOON, stream.read_u8()).await.unwrap().unwrap(), b'H');
    stream
}

#[tokio::test]
async fn it_speaks_http_1_and_http_2_on_one_port() {
    let rig = Rig::new(8, SOON).await;
    let response = rig.h1().await.send_request(request("/fast")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_11));
    let response = rig.h2().await.send_request(request("/fast")).await.unwrap();
    assert_eq!((response.status().as_u16(), response.version()), (200, Version::HTTP_2));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "fast");
}

#[tokio::test]
async fn a_connection_beyond_the_limit_takes_the_place_of_an_idle_one() {
    let rig = Rig::new(1, SOON).await;
    let mut first = used(&rig).await;
    let mut second = rig.h1().await;
    assert_eq!(second.send_request(request("/fast")).await.unwrap().status().as_u16(), 200);
    closed(&mut first).await;
    let rendered = rig.metrics.render().unwrap();
    assert!(rendered.contains("gateway_http_connections 1\n"), "{rendered}");
}

#[tokio::test]
async fn a_connection_that_sends_no_complete_headers_is_closed_in_time() {
    let limit = Duration::from_millis(50);
    let rig = Rig::new(8, limit).await;
    for beginning in ["", "PRI * HTTP/2", "POST / HTTP/1.1\r\nHost:"] {
        let started = Instant::now();
        let mut stream = rig.connect().await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        closed(&mut stream).await;
        assert!(started.elapsed() >= limit, "{beginning:?}");
    }
}

#[tokio::test]
async fn a_request_that_takes_longer_than_headers_may_is_not_aborted() {
    let rig = Rig::new(8, LIMIT).await;
    for h2 in [false, true] {
        let response = if h2 {
            let mut sender = rig.h2().await;
            tokio::spawn(async move { sender.send_request(request("/slow")).await })
        } else {
            let mut sender = rig.h1().await;
            tokio::spawn(async move { sender.send_request(request("/slow")).await })
        };
        rig.slow_started.notified().await;
        tokio::time::sleep(LIMIT * 2).await;
        rig.release.notify_one();
        assert_eq!(response.await.unwrap().unwrap().status().as_u16(), 200);
    }
}

#[tokio::test]
async fn on_stop_requests_in_flight_get_responses_and_new_connections_are_refused() {
    let rig = Rig::new(8, SOON).await;
    let (mut h1, mut h2, idle) = (rig.h1().await, rig.h2().await, rig.h1().await);
    let old = tokio::spawn(async move { h1.send_request(request("/slow")).await.unwrap().status().as_u16() });
    rig.slow_started.notified().await;
    let new = tokio::spawn(async move { h2.send_request(request("/slow")).await.unwrap().status().as_u16() });
    rig.slow_started.notified().await;
    rig.stop.cancel();
    while TcpStream::connect(rig.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!rig.server.is_finished());
    rig.release.notify_one();
    rig.release.notify_one();
    assert_eq!(timeout(SOON, old).await.unwrap().unwrap(), 200);
    rig.release.notify_one();
    assert_eq!(timeout(SOON, new).await.unwrap().unwrap(), 200);
    timeout(SOON, rig.server).await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_connection_may_be_idle_between_requests_for_longer_than_headers_may_take() {
    let rig = Rig::new(8, LIMIT).await;
    let mut h1 = rig.h1().await;
    for _ in 0..2 {
        let response = h1.send_request(request("/fast")).await.unwrap();
        response.into_body().collect().await.unwrap();
        tokio::time::sleep(LIMIT * 2).await;
        assert!(!h1.is_closed());
    }
}

#[tokio::test]
async fn a_connection_that_is_idle_for_too_long_is_closed() {
    let rig = Rig::with(SocketLimits { idle_timeout: LIMIT, ..LIMITS }).await;
    let mut stream = rig.connect().await;
    stream.write_all(b"GET /fast HTTP/1.1\r\nHost: onceway\r\n\r\n").await.unwrap();
    assert!(closed(&mut stream).await > 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected_and_does_not_delay_the_drain() {
    let rig = Rig::with(SocketLimits { write_timeout: LIMIT, ..LIMITS }).await;
    let mut stream = rig.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: onceway\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    rig.stop.cancel();
    timeout(SOON, rig.server).await.expect("the drain ends").unwrap();
    assert!(closed(&mut stream).await < LARGE);
}

#[tokio::test]
async fn a_client_that_reads_slowly_gets_the_whole_response() {
    let rig = Rig::with(SocketLimits { write_timeout: LIMIT, ..LIMITS }).await;
    let mut stream = rig.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: onceway\r\nConnection: close\r\n\r\n").await.unwrap();
    let (mut piece, mut read) = (vec![0; LARGE / 16], 0);
    for _ in 0..8 {
        read += stream.read_exact(&mut piece).await.unwrap();
        tokio::time::sleep(LIMIT / 4).await;
    }
    assert!(read + closed(&mut stream).await > LARGE);
}

#[tokio::test]
async fn oversized_headers_are_rejected() {
    let rig = Rig::new(8, SOON).await;
    let mut stream = rig.connect().await;
    let head = format!("GET /fast HTTP/1.1\r\nHost: onceway\r\nX: {}\r\n\r\n", "x".repeat(40 * 1024));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(status, *b"HTTP/1.1 431");
}

#[tokio::test]
async fn a_one_request_socket_keeps_no_connection_open() {
    let rig = Rig::with(SocketLimits { once: true, ..LIMITS }).await;
    let mut stream = rig.connect().await;
    stream.write_all(b"GET /fast HTTP/1.1\r\nHost: onceway\r\n\r\n").await.unwrap();
    assert!(closed(&mut stream).await > 0);
    let mut stream = rig.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    closed(&mut stream).await;
}
