//! Writes responses as HTTP.

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use onceway_signal::media_type::JSON;
use onceway_signal::response::SignalResponse;
use tokio::sync::OwnedSemaphorePermit;

use super::admission::bytes_with_permit;

/// The HTTP response. It may be as large as its request, so it holds the request's `permit` until it is written.
pub(super) fn to_http(response: &SignalResponse, permit: Option<OwnedSemaphorePermit>) -> Response {
    let mut http = Response::new(Body::from(bytes_with_permit(response.to_json(), permit)));
    *http.status_mut() = StatusCode::from_u16(response.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    http.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(response.media_type()));
    if let Some(seconds) = response.retry_after_s() {
        http.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(scheme) = response.www_authenticate() {
        http.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    }
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        http.headers_mut().insert(ACCEPT, HeaderValue::from_static(JSON));
    }
    http
}
