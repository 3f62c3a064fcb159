//! Takes a request's body in: JSON only, up to a size, within a time, and only as much as memory allows.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use onceway_signal::media_type::{is_json, is_plain};
use onceway_signal::problem::{Problem, ProblemKind};
use tokio::time::timeout;

use super::admission::{Admission, RETRY_AFTER_S, held};
use super::quote::quote;
use crate::config::Limits;

/// Takes the body in. Its room in memory is given back when the last part of it is let go.
///
/// # Errors
/// A [`Problem`]: 415, 413, 400, or 503 where the same body may pass another time.
pub(super) async fn take(request: Request, limits: &Limits, admission: &Admission) -> Result<Bytes, Problem> {
    let headers = request.headers();
    check_media_type(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    check_size(announced.unwrap_or(0), limits)?;
    timeout(limits.body_timeout, collect(request.into_body(), limits, admission)).await.unwrap_or_else(|_| {
        let detail = format!("the body was not complete after {:?}; send it again", limits.body_timeout);
        Err(Problem::new(ProblemKind::BodyTimeout, detail).retry_after(RETRY_AFTER_S))
    })
}

async fn collect(mut body: Body, limits: &Limits, admission: &Admission) -> Result<Bytes, Problem> {
    let (mut whole, mut room) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            // Most often the connection's fault and not the body's: a 4xx would lose it for good.
            let detail = format!("the body broke off: {error}; send it again");
            Problem::new(ProblemKind::BodyIncomplete, detail).retry_after(RETRY_AFTER_S)
        })?;
        // Trailers are passed over.
        let Ok(chunk) = frame.into_data() else { continue };
        check_size(whole.len().saturating_add(chunk.len()), limits)?;
        admission.bytes(&mut room, chunk.len())?;
        whole.extend_from_slice(&chunk);
    }
    // It has grown by doubling, and may wait for seconds: it takes no more than what was admitted.
    whole.shrink_to_fit();
    Ok(held(whole, room))
}

fn check_size(size: usize, limits: &Limits) -> Result<(), Problem> {
    let most = limits.max_body_bytes;
    if size <= most {
        return Ok(());
    }
    let detail = format!("the body is larger than {most} bytes; send fewer alerts at once (Alertmanager: max_alerts)");
    Err(Problem::new(ProblemKind::PayloadTooLarge, detail))
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail| Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
    let Some(media_type) = headers.get(CONTENT_TYPE) else {
        return refuse("there is no Content-Type; send application/json".to_owned());
    };
    if !is_json(media_type.as_bytes()) {
        return refuse(format!("the Content-Type is {}; send application/json", quote(media_type)));
    }
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if !is_plain(encoding.as_bytes()) => {
            refuse(format!("the Content-Encoding is {}; send the JSON uncompressed", quote(encoding)))
        }
        _ => Ok(()),
    }
}
