//! Responses as they are sent by the sidecar, and read again by the filter that split the request.

use serde::Deserialize;
use serde_json::{from_slice, to_vec};

use super::{Failure, MultiStatus, SignalOutcome, SignalResponse, Status, http_status};
use crate::media_type::{JSON, PROBLEM_JSON};
use crate::outcome::alert_of;
use crate::problem::{ProblemKind, ProblemTypes};

impl SignalResponse {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::One(status, _) => *status,
            Self::MultiStatus(_) => 207,
            Self::Problem(problem) => problem.status,
        }
    }

    /// The media type of the body.
    #[must_use]
    pub const fn media_type(&self) -> &'static str {
        match self {
            Self::One(..) | Self::MultiStatus(_) => JSON,
            Self::Problem(_) => PROBLEM_JSON,
        }
    }

    /// The header `Retry-After`, in seconds, if there is one.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::One(..) | Self::MultiStatus(_) => None,
            Self::Problem(problem) => problem.retry_after_s,
        }
    }

    /// The header `WWW-Authenticate`, which every 401 must have.
    #[must_use]
    pub const fn www_authenticate(&self) -> Option<&'static str> {
        if self.status() == 401 { Some("Bearer") } else { None }
    }

    /// The same response, with its problem in the words of `types`.
    #[must_use]
    pub fn typed(self, types: ProblemTypes) -> Self {
        match self {
            Self::Problem(problem) => problem.typed(types).into(),
            other => other,
        }
    }

    /// The body. Serializing strings and numbers cannot fail; if it did, the body would be empty and the status still
    /// right.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        match self {
            Self::One(_, outcome) => to_vec(outcome),
            Self::MultiStatus(multi_status) => to_vec(multi_status),
            Self::Problem(problem) => to_vec(problem),
        }
        .unwrap_or_default()
    }
}

/// Reads a response of the sidecar back into the outcomes that [`merge`](super::merge) made it of. `None` if no sidecar
/// wrote it; then nothing is known about the signals.
#[must_use]
pub fn read(status: u16, retry_after_s: Option<u32>, body: &[u8]) -> Option<Vec<SignalOutcome>> {
    match status {
        200..=202 => from_slice(body)
            .ok()
            .filter(|outcome: &SignalOutcome| http_status(outcome.status) == status)
            .map(|one| vec![one]),
        207 => from_slice(body).ok().map(|multi_status: MultiStatus| multi_status.results),
        400..=599 => read_problem(status, retry_after_s, from_slice(body).ok()?),
        _ => None,
    }
}

/// The fields of a problem that are read.
#[derive(Deserialize)]
struct ProblemBody {
    #[serde(rename = "type")]
    uri: String,
    kind: Option<String>,
    detail: String,
    results: Option<Vec<SignalOutcome>>,
}

fn read_problem(status: u16, retry_after_s: Option<u32>, body: ProblemBody) -> Option<Vec<SignalOutcome>> {
    let is_temporary = status >= 500;
    if let Some(results) = body.results {
        // A status that contradicts the results is not trustworthy.
        let failed = results.iter().any(|outcome| outcome.status == Status::Failed);
        return (failed == is_temporary).then_some(results);
    }
    let named = body.kind.as_deref().and_then(ProblemKind::from_slug);
    let kind = named.or_else(|| ProblemKind::from_uri(&body.uri));
    if !is_temporary {
        let alert = alert_of(&body.detail);
        return Some(vec![match kind.filter(|kind| kind.is_denial()) {
            Some(denial) => SignalOutcome::denied(None, denial, body.detail),
            None => SignalOutcome { alert, ..SignalOutcome::rejected(body.detail) },
        }]);
    }
    let problem = kind.unwrap_or(Failure::UNKNOWN.problem);
    let retry_after_seconds = retry_after_s.unwrap_or(Failure::UNKNOWN.retry_after_seconds);
    Some(vec![SignalOutcome::failed_without_fingerprint(body.detail, Failure { problem, retry_after_seconds })])
}
