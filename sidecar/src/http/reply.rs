//! Writes answers as HTTP responses.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::answer::Answer;
use super::problem::Problem;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::One(status, outcome) => json(status, JSON, &outcome),
            Self::Several(several) => json(StatusCode::MULTI_STATUS.as_u16(), JSON, &several),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = json(self.status, PROBLEM_JSON, &self);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A body of strings and numbers always can be written; should it not be, the status still says all that matters.
fn json(status: u16, content_type: HeaderValue, body: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
