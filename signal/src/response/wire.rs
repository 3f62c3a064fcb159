//! Answers as they are sent, and as they are read again by whoever split a request.

use serde::Deserialize;
use serde_json::{from_slice, to_vec};

use super::{Failure, MultiStatus, SignalOutcome, SignalResponse, Status, code};
use crate::media_type::{JSON, PROBLEM_JSON};
use crate::problem::ProblemKind;

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

    /// The header Retry-After, in seconds, where there is one.
    #[must_use]
    pub const fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::One(..) | Self::MultiStatus(_) => None,
            Self::Problem(problem) => problem.retry_after_s,
        }
    }

    /// The body. Strings and numbers always can be written; should they not be, the status still says all that matters.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        match self {
            Self::One(_, outcome) => to_vec(outcome),
            Self::MultiStatus(several) => to_vec(several),
            Self::Problem(problem) => to_vec(problem),
        }
        .unwrap_or_default()
    }
}

/// Reads an answer of the sidecar: the outcomes that [`merge`](super::merge) made it of. `None` where it is none of ours;
/// then nothing is known of the signals.
#[must_use]
pub fn read(status: u16, retry_after_s: Option<u32>, body: &[u8]) -> Option<Vec<SignalOutcome>> {
    match status {
        200..=202 => {
            from_slice(body).ok().filter(|outcome: &SignalOutcome| code(outcome.status) == status).map(|one| vec![one])
        }
        207 => from_slice(body).ok().map(|several: MultiStatus| several.results),
        400..=599 => problem(status, retry_after_s, from_slice(body).ok()?),
        _ => None,
    }
}

/// What is read of a problem.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "type")]
    uri: String,
    detail: String,
    results: Option<Vec<SignalOutcome>>,
}

fn problem(status: u16, retry_after_s: Option<u32>, told: Told) -> Option<Vec<SignalOutcome>> {
    let passing = status >= 500;
    if let Some(results) = told.results {
        // A status that its own results do not bear out is not to be relied on.
        let failed = results.iter().any(|outcome| outcome.status == Status::Failed);
        return (failed == passing).then_some(results);
    }
    if !passing {
        return Some(vec![SignalOutcome::rejected(told.detail)]);
    }
    let problem = ProblemKind::from_uri(&told.uri).unwrap_or(Failure::UNKNOWN.problem);
    let retry_after_seconds = retry_after_s.unwrap_or(Failure::UNKNOWN.retry_after_seconds);
    Some(vec![SignalOutcome::passing(told.detail, Failure { problem, retry_after_seconds })])
}
