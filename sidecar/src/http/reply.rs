//! Writes answers as HTTP responses.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::admission::held;
use super::answer::Answer;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

impl Answer {
    /// The response. An answer may be as large as its request, so it keeps the request's `room` until it is written.
    pub(super) fn into_response(self, room: Option<OwnedSemaphorePermit>) -> Response {
        match self {
            Self::One(status, outcome) => json(status, JSON, &outcome, room),
            Self::Several(several) => json(StatusCode::MULTI_STATUS.as_u16(), JSON, &several, room),
            Self::Problem(problem) => {
                let mut response = json(problem.status, PROBLEM_JSON, &problem, room);
                if let Some(seconds) = problem.retry_after_s {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                response
            }
        }
    }
}

/// A body of strings and numbers always can be written; should it not be, the status still says all that matters.
fn json(status: u16, content_type: HeaderValue, body: &impl Serialize, room: Option<OwnedSemaphorePermit>) -> Response {
    let mut response = Response::new(Body::from(held(serde_json::to_vec(body).unwrap_or_default(), room)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
