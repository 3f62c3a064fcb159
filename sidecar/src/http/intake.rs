//! Reads a request's body: plain JSON only, up to a size, within a time, and within the memory for bodies.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::BodyExt;
use onceway_signal::media_type::{is_plain, may_be_json};
use onceway_signal::problem::{Problem, ProblemKind};
use tokio::time::timeout;
use tracing::debug;

use super::admission::{Admission, RETRY_AFTER_S, bytes_with_permit};
use crate::config::Limits;
use onceway_signal::truncate::truncate_quoted;

/// Reads the body. It holds its share of the memory for bodies until the last slice of it is dropped.
///
/// # Errors
/// A [`Problem`]: 415, 413, or 503 where a retry of the same body may succeed.
pub(super) async fn read_body(request: Request, limits: &Limits, admission: &Admission) -> Result<Bytes, Problem> {
    let headers = request.headers();
    check_media_type(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    check_size(announced.unwrap_or(0), limits)?;
    timeout(limits.body_timeout, collect(request.into_body(), limits, admission)).await.unwrap_or_else(|_| {
        let detail = format!("the request body did not arrive within {:?}; send it again", limits.body_timeout);
        Err(Problem::new(ProblemKind::BodyTimeout, detail).retry_after(RETRY_AFTER_S))
    })
}

async fn collect(mut body: Body, limits: &Limits, admission: &Admission) -> Result<Bytes, Problem> {
    let (mut whole, mut permit) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            // Most often a broken connection, not a bad body: a 4xx would lose the signals for good.
            debug!(%error, "cannot read a request body");
            let detail = "the request body broke off before its end; send it again";
            Problem::new(ProblemKind::BodyIncomplete, detail).retry_after(RETRY_AFTER_S)
        })?;
        // Trailers are ignored.
        let Ok(chunk) = frame.into_data() else { continue };
        check_size(whole.len().saturating_add(chunk.len()), limits)?;
        admission.bytes(&mut permit, chunk.len())?;
        whole.extend_from_slice(&chunk);
    }
    // The buffer grew by doubling and may be held for seconds: it must take no more than was admitted.
    whole.shrink_to_fit();
    Ok(bytes_with_permit(whole, permit))
}

fn check_size(size: usize, limits: &Limits) -> Result<(), Problem> {
    let max = limits.max_body_bytes;
    if size <= max {
        return Ok(());
    }
    let detail =
        format!("the request body exceeds {max} bytes; send fewer alerts per request (Alertmanager: max_alerts)");
    Err(Problem::new(ProblemKind::PayloadTooLarge, detail))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let reject = |detail| Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    let media_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !may_be_json(media_type) {
        let quoted = truncate_quoted(media_type.unwrap_or_default());
        return reject(format!("Content-Type {quoted} is not supported; send application/json"));
    }
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        Some(encoding) if !is_plain(encoding) => reject(format!(
            "Content-Encoding {} is not supported; send the JSON uncompressed",
            truncate_quoted(encoding)
        )),
        _ => Ok(()),
    }
}
