//! The replicas that Envoy has here: they say what a sidecar says of a duplicate, and do nothing. On one thread of their
//! own, and cheap, so that Envoy's worker is what bounds the rate.

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

/// More than there are parts at once: what is refused would be sent again, and measure that.
const MAX_STREAMS: u32 = 8192;
/// What they answer.
pub(super) const STATUS: u16 = 202;

/// Starts them, and tells Envoy of them. They end with the process.
pub(super) fn start(count: usize) -> Result<Vec<Upstream>> {
    let sockets = (0..count).map(|_| listen()).collect::<Result<Vec<_>>>()?;
    let addrs = sockets.iter().map(std::net::TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    Builder::new().name("upstream".to_owned()).spawn(move || serve(sockets))?;
    Ok(addrs.into_iter().map(|addr: SocketAddr| Upstream { signals: addr, health: addr }).collect())
}

fn listen() -> Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no loopback port can be had")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn serve(listeners: Vec<std::net::TcpListener>) -> Result<()> {
    let runtime = Runtime::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let answer = Bytes::from(duplicate().to_json());
        let accepting = listeners.into_iter().map(|listener| accept(listener, answer.clone()));
        futures::future::try_join_all(accepting).await.map(drop)
    })
}

async fn accept(listener: std::net::TcpListener, answer: Bytes) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| reply(request, answer.clone()));
            // Envoy closes its connections as it likes.
            let mut http = auto::Builder::new(TokioExecutor::new());
            http.http2().max_concurrent_streams(MAX_STREAMS);
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Takes a signal in, and says that it is counted; and of a health check, that all is well.
async fn reply(request: Request<Incoming>, answer: Bytes) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.method() == Method::POST {
        let mut body = request.into_body();
        while body.frame().await.is_some() {}
        *response.body_mut() = Full::new(answer);
        *response.status_mut() = StatusCode::ACCEPTED;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(response)
}

/// What a sidecar says of a duplicate.
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
