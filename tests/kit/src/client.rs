//! An HTTP client for tests: nothing is retried, every call has an end.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use onceway_signal::Source;
use serde_json::Value;

/// Longer than any deadline of what is tested, so that a call that hangs is told from one that is slow.
const LIMIT: Duration = Duration::from_secs(35);

/// A client with a pool of connections. It belongs to the runtime that it is made in.
#[derive(Clone)]
pub struct Client {
    hyper: Hyper<HttpConnector, Full<Bytes>>,
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client that speaks HTTP/1.1.
    pub fn new() -> Self {
        Self::speaking(false)
    }

    /// A client that speaks HTTP/2 from the first byte on.
    pub fn http2() -> Self {
        Self::speaking(true)
    }

    fn speaking(http2_only: bool) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // hyper repeats what was surely never sent; a test must see what its single try meets.
        let mut builder = Hyper::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).retry_canceled_requests(false).http2_only(http2_only);
        Self { hyper: builder.build(connector) }
    }

    /// Reads `url`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        self.send(Request::get(url), Bytes::new()).await
    }

    /// Sends a payload to the path of its source at `base` (`http://127.0.0.1:10000`), as JSON.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn signal(&self, base: &str, source: Source, body: impl Into<Bytes>) -> Result<Answer> {
        let request = Request::post(format!("{base}{}", source.path())).header("content-type", "application/json");
        self.send(request, body).await
    }

    /// Sends any request.
    ///
    /// # Errors
    /// If it is not valid, or there is no answer in time.
    pub async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Result<Answer> {
        let request = request.body(Full::new(body.into()))?;
        let what = format!("{} {}", request.method(), request.uri());
        let exchange = async {
            let (parts, body) = self.hyper.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: parts.status, headers: parts.headers, body })
        };
        let answer =
            tokio::time::timeout(LIMIT, exchange).await.with_context(|| format!("{what}: no answer in {LIMIT:?}"));
        answer?.with_context(|| format!("{what}: no answer"))
    }

    /// Sends an empty POST, as Envoy's admin wants for what changes something.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, url: &str) -> Result<Answer> {
        self.send(Request::builder().method(Method::POST).uri(url), Bytes::new()).await
    }
}
