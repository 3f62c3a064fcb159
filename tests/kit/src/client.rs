//! An HTTP client for tests: no retries, and a time limit for every request.

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

/// Longer than any deadline under test, so that only a request that hangs reaches it.
const LIMIT: Duration = Duration::from_secs(35);

/// A client with a connection pool. It belongs to the runtime that creates it.
#[derive(Clone)]
pub struct Client {
    hyper: Hyper<HttpConnector, Full<Bytes>>,
    token: Option<String>,
}

/// A complete response.
#[derive(Clone, Debug)]
pub struct ClientResponse {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl ClientResponse {
    /// The body as JSON; null if it is not JSON.
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

    /// A client that speaks HTTP/2 with prior knowledge.
    pub fn http2() -> Self {
        Self::speaking(true)
    }

    fn speaking(http2_only: bool) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // hyper would retry requests that it never sent; a test must see the result of its one attempt.
        let mut builder = Hyper::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).retry_canceled_requests(false).http2_only(http2_only);
        Self { hyper: builder.build(connector), token: None }
    }

    /// That sends signals with this token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    /// The token that it sends.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Sends a GET.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn get(&self, url: &str) -> Result<ClientResponse> {
        self.send(Request::get(url), Bytes::new()).await
    }

    /// Sends a payload to the path of its source at `base` (`http://127.0.0.1:10000`), as JSON.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn signal(&self, base: &str, source: Source, body: impl Into<Bytes>) -> Result<ClientResponse> {
        let request = Request::post(format!("{base}{}", source.path())).header("content-type", "application/json");
        let request = match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        self.send(request, body).await
    }

    /// Sends any request.
    ///
    /// # Errors
    /// If it is not valid, or there is no response in time.
    pub async fn send(&self, request: http::request::Builder, body: impl Into<Bytes>) -> Result<ClientResponse> {
        let request = request.body(Full::new(body.into()))?;
        let what = format!("{} {}", request.method(), request.uri());
        let exchange = async {
            let (parts, body) = self.hyper.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(ClientResponse { status: parts.status, headers: parts.headers, body })
        };
        let response =
            tokio::time::timeout(LIMIT, exchange).await.with_context(|| format!("{what}: no response in {LIMIT:?}"));
        response?.with_context(|| format!("{what}: no response"))
    }

    /// Sends an empty POST: the method of Envoy's admin for changes.
    ///
    /// # Errors
    /// If there is no response.
    pub async fn post(&self, url: &str) -> Result<ClientResponse> {
        self.send(Request::builder().method(Method::POST).uri(url), Bytes::new()).await
    }
}
