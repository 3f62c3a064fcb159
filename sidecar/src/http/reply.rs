//! Writes answers as HTTP responses.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use onceway_signal::response::SignalResponse;
use tokio::sync::OwnedSemaphorePermit;

use super::admission::held;

/// The response. An answer may be as large as its request, so it keeps the request's `room` until it is written.
pub(super) fn respond(answer: &SignalResponse, room: Option<OwnedSemaphorePermit>) -> Response {
    let mut response = Response::new(Body::from(held(answer.to_json(), room)));
    *response.status_mut() = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(answer.media_type()));
    if let Some(seconds) = answer.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
