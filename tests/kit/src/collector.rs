//! A collector of traces: it takes OTLP over HTTP as protobuf, and keeps the spans.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

use crate::poll;

/// How long a test waits for spans: they are exported within seconds.
const LIMIT: Duration = Duration::from_secs(60);

/// A span as it was received.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// `service.name` of who made it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The trace's id, in hexadecimal digits.
    pub trace_id: String,
    /// Its id.
    pub id: String,
    /// The id of its parent; empty: none.
    pub parent_id: String,
    /// The ids of the spans that it links to.
    pub links: Vec<String>,
    /// Its attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// Whether its status is an error.
    pub failed: bool,
}

#[derive(Default)]
struct Received {
    spans: Mutex<Vec<Span>>,
    hangs: AtomicBool,
}

/// A running collector; dropping it stops it.
pub struct Collector {
    addr: SocketAddr,
    received: Arc<Received>,
    accepting: AbortHandle,
}

impl Collector {
    /// Starts a collector on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (addr, received) = (listener.local_addr()?, Arc::<Received>::default());
        let accepting = tokio::spawn(accept(listener, Arc::clone(&received))).abort_handle();
        Ok(Self { addr, received, accepting })
    }

    /// Its address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its URL, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// From now on it takes requests and does not respond.
    pub fn hang(&self) {
        self.received.hangs.store(true, Ordering::Release);
    }

    /// What it received so far.
    pub fn spans(&self) -> Vec<Span> {
        self.received.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `look` finds what it wants among the spans.
    ///
    /// # Errors
    /// If that takes too long; the error has the spans.
    pub async fn until<T>(&self, what: &str, mut look: impl FnMut(&[Span]) -> Option<T>) -> Result<T> {
        let found = poll::until(LIMIT, what, async || Ok(look(&self.spans()))).await;
        found.map_err(|error| error.context(format!("{:#?}", self.spans())))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, received: Arc<Received>) {
    // Connections end with the collector.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let received = Arc::clone(&received);
        connections.spawn(async move {
            let service = service_fn(move |request| take(Arc::clone(&received), request));
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn take(received: Arc<Received>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let respond = |status| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        Ok(response)
    };
    if request.uri().path() != "/v1/traces" {
        return respond(StatusCode::NOT_FOUND);
    }
    let Ok(body) = request.into_body().collect().await else { return respond(StatusCode::BAD_REQUEST) };
    if received.hangs.load(Ordering::Acquire) {
        std::future::pending::<()>().await;
    }
    let Ok(export) = ExportTraceServiceRequest::decode(body.to_bytes()) else {
        return respond(StatusCode::BAD_REQUEST);
    };
    received.spans.lock().unwrap_or_else(PoisonError::into_inner).extend(spans(export));
    respond(StatusCode::OK)
}

fn spans(export: ExportTraceServiceRequest) -> Vec<Span> {
    let mut all = Vec::new();
    for resource in export.resource_spans {
        let of_resource = resource.resource.map(|resource| texts(resource.attributes)).unwrap_or_default();
        let service = of_resource.get("service.name").cloned().unwrap_or_default();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            all.push(Span {
                service: service.clone(),
                name: span.name,
                trace_id: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent_id: hex(&span.parent_span_id),
                links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
                attributes: texts(span.attributes),
                failed: span.status.is_some_and(|status| status.code == 2),
            });
        }
    }
    all
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |KeyValue { key, value, .. }| {
        let value = match value.and_then(|value| value.value)? {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            Value::BoolValue(is) => is.to_string(),
            Value::DoubleValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        Some((key, value))
    };
    attributes.into_iter().filter_map(text).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
