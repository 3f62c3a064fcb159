//! Responses that the proxy makes itself, in the API server's own format.

use bytes::Bytes;
use futures::stream::pending;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::{Value, json};

/// A response to the proxy's client: the API server's, forwarded, or a canned one.
pub(super) type ProxyResponse = Response<UnsyncBoxBody<Bytes, kube::Error>>;

/// A 200 whose body never sends a byte and never ends.
pub(super) fn silent_watch() -> ProxyResponse {
    Response::new(StreamBody::new(pending::<Result<Frame<Bytes>, kube::Error>>()).boxed_unsync())
}

/// A watch with one event: 410, the requested resourceVersion is too old.
pub(super) fn expired_watch() -> ProxyResponse {
    let status = status(StatusCode::GONE, "Expired", "too old resource version: 1 (2)");
    let event = json!({ "type": "ERROR", "object": status });
    Response::new(Body::from(format!("{event}\n").into_bytes()).boxed_unsync())
}

/// A `Status` of `code` as JSON, with `Retry-After` in seconds if given.
pub(super) fn failure(code: StatusCode, retry_after: Option<u32>) -> ProxyResponse {
    let reason = match code {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::UNPROCESSABLE_ENTITY => "Invalid",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::GATEWAY_TIMEOUT => "Timeout",
        _ => "InternalError",
    };
    let mut status = status(code, reason, &format!("{reason} (injected by the fault proxy)"));
    status["details"] = json!({ "retryAfterSeconds": retry_after.unwrap_or(0) });
    let mut response = Response::new(Body::from(status.to_string().into_bytes()).boxed_unsync());
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn status(code: StatusCode, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code.as_u16(),
    })
}
