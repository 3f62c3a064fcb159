//! What identifies a request in the log: one span around everything that is done for it, with its id, its trace id and its
//! path. The field `sender` is empty until the sender is known.
//!
//! A span of OpenTelemetry is made only then, too: a stranger's `traceparent` must not decide what is sampled, nor strangers'
//! requests fill the queue of the spans.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use onceway_signal::Source;
use opentelemetry::trace::{SpanContext, TraceId};
use tracing::field::{Empty, display};
use tracing::{Instrument, Span, error_span};
use uuid::Uuid;

use super::OTHER_PATH;
use crate::traces::{Trace, Traces, parent};

/// The header with a request's id, in requests and in responses.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id, in characters.
const MAX_REQUEST_ID: usize = 64;

/// A request's id, as an extension of the request: 1 to 64 of letters, digits and `-._`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    /// The sender's id, or a new one if it sent none or one that is no id. An id is taken as it is or not at all: a changed one
    /// would be found neither by the sender nor in the log of the proxy in front.
    fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(|id| is_request_id(id));
        Self(sent.map_or_else(|| Uuid::new_v4().to_string().into(), Arc::from))
    }
}

fn is_request_id(text: &str) -> bool {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=MAX_REQUEST_ID).contains(&text.len()) && text.bytes().all(is_kept)
}

/// The span that a request has once its sender is known, as an extension of the request.
#[derive(Clone)]
pub(super) struct RequestTrace(Arc<Pending>);

struct Pending {
    traces: Traces,
    path: &'static str,
    method: Method,
    id: RequestId,
    parent: Option<SpanContext>,
    began: SystemTime,
    trace: OnceLock<Trace>,
}

impl RequestTrace {
    /// The sender is known, or need not be.
    pub(super) fn begin(&self) -> Trace {
        self.0.trace.get_or_init(|| self.0.begin()).clone()
    }

    /// The response has this status.
    fn end(&self, status: StatusCode) {
        let Some(trace) = self.0.trace.get() else { return };
        trace.set("http.response.status_code", || i64::from(status.as_u16()));
        if status.is_server_error() {
            trace.fail(|| status.to_string());
        }
    }
}

impl Pending {
    fn begin(&self) -> Trace {
        let (trace, trace_id) = self.traces.request(self.path, self.parent.clone(), self.began);
        if let Some(id) = trace_id.filter(|_| self.parent.is_none()) {
            Span::current().record("trace_id", display(id));
        }
        trace.set("http.request.method", || self.method.as_str().to_owned());
        trace.set("url.path", || self.path);
        trace.set("onceway.request_id", || self.id.0.to_string());
        trace
    }
}

/// Runs a request in its span, and returns its id with the response.
pub(super) async fn in_span(State(traces): State<Traces>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let path = Source::from_path(request.uri().path()).map_or(OTHER_PATH, Source::path);
    let parent = parent(request.headers());
    let span = span(path, &id, parent.as_ref().map(SpanContext::trace_id));
    request.extensions_mut().insert(id.clone());
    let trace = traces.is_on().then(|| {
        let (method, id, began) = (request.method().clone(), id.clone(), SystemTime::now());
        RequestTrace(Arc::new(Pending { traces, path, method, id, parent, began, trace: OnceLock::new() }))
    });
    if let Some(trace) = &trace {
        request.extensions_mut().insert(trace.clone());
    }
    let mut response = next.run(request).instrument(span).await;
    if let Some(trace) = trace {
        trace.end(response.status());
    }
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Of the highest level, so that it is there for every line whatever `log.level` is. A trace that the sender does not name has
/// its id once its span has begun.
fn span(path: &'static str, RequestId(id): &RequestId, trace_id: Option<TraceId>) -> Span {
    let span = error_span!("request", path, request_id = &**id, trace_id = Empty, sender = Empty);
    if let Some(id) = trace_id {
        span.record("trace_id", display(id));
    }
    span
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{MAX_REQUEST_ID, REQUEST_ID, RequestId};

    fn id(sent: &[u8]) -> String {
        let headers = HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_bytes(sent).unwrap())]);
        RequestId::of(&headers).0.to_string()
    }

    #[test]
    fn an_id_is_kept_as_it_is() {
        for sane in ["b8e64bd8-9a1f-4c2d-8f15-0c3d52f5a0c9", "7", "A_b.c-9", &"x".repeat(MAX_REQUEST_ID)] {
            assert_eq!(id(sane.as_bytes()), sane);
        }
    }

    #[test]
    fn a_request_without_a_usable_id_gets_a_new_one() {
        let long = [b'x'; MAX_REQUEST_ID + 1];
        let sent: [&[u8]; 6] = [b"", b"{}", b"\xc3\xa9", b"a b", b"a/b\"}", &long];
        for made in sent.map(id).into_iter().chain([RequestId::of(&HeaderMap::new()).0.to_string()]) {
            assert_eq!((made.len(), made.as_bytes()[14]), (36, b'4'), "{made}");
        }
        assert_ne!(id(b""), id(b""));
    }
}
