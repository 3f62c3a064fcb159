//! What identifies a request in the log: one span around everything that is done for it, with its id, its trace id and its
//! path. The field `sender` is empty until the sender is known.

use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use onceway_signal::Source;
use tracing::field::Empty;
use tracing::{Instrument, Span, error_span};
use uuid::Uuid;

use super::OTHER_PATH;

/// The header with a request's id, in requests and in responses.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header with a request's trace, by W3C Trace Context.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
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

/// Runs a request in its span, and returns its id with the response.
pub(super) async fn in_span(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    let span = span(&request, &id);
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Of the highest level, so that it is there for every line whatever `log.level` is.
fn span(request: &Request, RequestId(id): &RequestId) -> Span {
    let path = Source::from_path(request.uri().path()).map_or(OTHER_PATH, Source::path);
    let trace_id = request.headers().get(TRACEPARENT).and_then(|trace| trace_id(trace.to_str().ok()?));
    error_span!("request", path, request_id = &**id, trace_id, sender = Empty)
}

/// The trace id in a `traceparent`: `<version>-<trace id>-<parent id>-<flags>`. Later versions may add fields.
fn trace_id(traceparent: &str) -> Option<&str> {
    let mut fields = traceparent.splitn(5, '-');
    let is_field = |field: &&str, length| field.len() == length && field.bytes().all(|byte| HEX.contains(&byte));
    let version = fields.next().filter(|field| is_field(field, 2) && *field != "ff")?;
    let trace_id = fields.next().filter(|field| is_field(field, 32) && field.bytes().any(|byte| byte != b'0'))?;
    fields.next().filter(|field| is_field(field, 16) && field.bytes().any(|byte| byte != b'0'))?;
    fields.next().filter(|field| is_field(field, 2))?;
    (version != "00" || fields.next().is_none()).then_some(trace_id)
}

/// Upper case is invalid.
const HEX: &[u8] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{MAX_REQUEST_ID, REQUEST_ID, RequestId, trace_id};

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

    #[test]
    fn the_trace_id_is_read_of_a_valid_traceparent_only() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let with = |version: &str, id: &str, rest: &str| trace_id(&format!("{version}-{id}-{rest}")).map(str::to_owned);
        assert_eq!(with("00", id, "00f067aa0ba902b7-01").as_deref(), Some(id));
        assert_eq!(with("01", id, "00f067aa0ba902b7-01-later").as_deref(), Some(id));
        for (version, trace, rest) in [
            ("00", id, "00f067aa0ba902b7-01-later"),
            ("ff", id, "00f067aa0ba902b7-01"),
            ("0", id, "00f067aa0ba902b7-01"),
            ("00", &id.to_uppercase(), "00f067aa0ba902b7-01"),
            ("00", &"0".repeat(32), "00f067aa0ba902b7-01"),
            ("00", &id[1..], "00f067aa0ba902b7-01"),
            ("00", id, "0000000000000000-01"),
            ("00", id, "00f067aa0ba902b7"),
            ("00", id, ""),
        ] {
            assert_eq!(with(version, trace, rest), None, "{version} {trace} {rest}");
        }
        assert_eq!(trace_id(""), None);
    }
}
