//! Refusals as the API server itself words them.

use bytes::Bytes;
use futures::stream::pending;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use kube::client::Body;
use serde_json::json;

/// An answer on its way to the client: the API server's, or one of the proxy's own.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, kube::Error>>;

/// The beginning of an answer that never goes on.
pub(super) fn silence() -> Answer {
    Response::new(StreamBody::new(pending::<Result<Frame<Bytes>, kube::Error>>()).boxed_unsync())
}

/// A watch whose one event says that its version is too old.
pub(super) fn expired_watch() -> Answer {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version: 1 (2)",
        "reason": "Expired",
        "code": 410,
    });
    let event = json!({ "type": "ERROR", "object": status });
    Response::new(Body::from(format!("{event}\n").into_bytes()).boxed_unsync())
}

/// A `Status` of `code`, as JSON, with `Retry-After` in seconds if given.
pub(super) fn failure(code: StatusCode, retry_after: Option<u32>) -> Answer {
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
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": format!("{reason}, says the fault proxy"),
        "reason": reason,
        "details": { "retryAfterSeconds": retry_after.unwrap_or(0) },
        "code": code.as_u16(),
    });
    let mut response = Response::new(Body::from(status.to_string().into_bytes()).boxed_unsync());
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    if let Some(seconds) = retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}
