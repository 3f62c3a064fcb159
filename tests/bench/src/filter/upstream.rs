//! Stub replicas: they respond as a sidecar responds to a duplicate, and do nothing else. They run on one separate thread and
//! are cheap, so that Envoy's worker limits the rate.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread::Builder;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use onceway_kit::envoy::Upstream;
use onceway_kit::payload::Incident;
use onceway_signal::response::{Metadata, SignalOutcome, SignalResponse};
use tokio::net::TcpListener;
use tokio::runtime::Builder as Runtime;

/// More than the sub-requests in flight: a refused stream would be retried, and the retry measured.
const MAX_STREAMS: u32 = 8192;
/// The status of their responses.
pub(super) const STATUS: u16 = 202;

/// Starts them; they run until the process exits.
pub(super) fn start(count: usize) -> Result<Vec<Upstream>> {
    let sockets = (0..count).map(|_| listen()).collect::<Result<Vec<_>>>()?;
    let addrs = sockets.iter().map(std::net::TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    Builder::new().name("upstream".to_owned()).spawn(move || serve(sockets))?;
    Ok(addrs.into_iter().map(|addr: SocketAddr| Upstream { signals: addr, health: addr }).collect())
}

fn listen() -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("cannot bind a loopback port")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(listeners: Vec<std::net::TcpListener>) -> Result<()> {
    let runtime = Runtime::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let body = Bytes::from(duplicate().to_json());
        let accepting = listeners.into_iter().map(|listener| accept(listener, body.clone()));
        futures::future::try_join_all(accepting).await.map(drop)
    })
}

async fn accept(listener: std::net::TcpListener, body: Bytes) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| respond(request, body.clone()));
            // An error only means that Envoy closed the connection.
            let mut http = auto::Builder::new(TokioExecutor::new());
            http.http2().max_concurrent_streams(MAX_STREAMS);
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Responds 202 to a signal and 200 to a health check.
async fn respond(request: Request<Incoming>, body: Bytes) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.method() == Method::POST {
        let mut received = request.into_body();
        while received.frame().await.is_some() {}
        *response.body_mut() = Full::new(body);
        *response.status_mut() = StatusCode::ACCEPTED;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(response)
}

/// A sidecar's response to a duplicate.
fn duplicate() -> SignalResponse {
    let fingerprint = Incident::new("prod", "payment-api").fingerprint().to_string();
    let name = format!("rr-{}-1767225600", &fingerprint[..12]);
    let metadata = Metadata {
        fingerprint,
        count: 1234,
        remediation_request_ref: format!("onceway/{name}"),
        first_occurrence: "2026-01-01T00:00:00Z".to_owned(),
        last_occurrence: "2026-01-01T00:10:00Z".to_owned(),
    };
    onceway_signal::response::merge(vec![SignalOutcome::counted(false, "onceway".to_owned(), name, metadata)])
}
