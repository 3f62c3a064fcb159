//! The response to a request: the outcomes of its signals, merged into one status and body.
//!
//! Shared by the sidecar, which answers a whole body, and the filter, which splits a body into one sub-request per
//! incident and merges their responses: the sender gets the same response either way.

use crate::outcome::Summary;
pub use crate::outcome::{Failure, Metadata, MultiStatus, SignalOutcome, Status, TargetRejection};
use crate::problem::{Problem, ProblemKind};

mod wire;

pub use self::wire::read;

/// A response: its HTTP status and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalResponse {
    /// The only outcome.
    One(u16, Box<SignalOutcome>),
    /// 207: several outcomes, none of which is to be sent again.
    MultiStatus(MultiStatus),
    /// An error.
    Problem(Box<Problem>),
}

impl From<Problem> for SignalResponse {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

/// Merges `outcomes`, in the webhook's order, into one response.
///
/// | outcomes | status |
/// |---|---|
/// | any failed | 503 |
/// | all rejected because the sender is not authenticated | 401 |
/// | all rejected because the sender is refused | 403 |
/// | all rejected, and none of them for its target alone | 400 |
/// | none, or a single one | 200, 201 or 202 |
/// | several | 207 |
///
/// On 503 the sender sends the whole request again, so nothing is lost; a signal that was counted is then counted
/// again, as any repeated signal is, unless filter and replica remember it.
#[must_use]
pub fn merge(mut outcomes: Vec<SignalOutcome>) -> SignalResponse {
    let summary = Summary::of(&outcomes);
    if summary.failed > 0 {
        return failed(outcomes, summary).into();
    }
    // A target that is out of scope is no error of the sender's.
    let is_error = outcomes.iter().all(|outcome| outcome.rejection.is_none());
    if summary.total > 0 && summary.rejected == summary.total && is_error {
        return rejected(outcomes, summary).into();
    }
    match (outcomes.pop(), summary.total) {
        (None, _) => one(SignalOutcome::nothing_to_do(None, "the webhook has no alerts")),
        (Some(only), 1) => one(only),
        (Some(last), _) => {
            outcomes.push(last);
            SignalResponse::MultiStatus(MultiStatus { results: outcomes, summary })
        }
    }
}

fn one(outcome: SignalOutcome) -> SignalResponse {
    SignalResponse::One(http_status(outcome.status), Box::new(outcome))
}

/// The HTTP status of a single outcome that is no error.
const fn http_status(status: Status) -> u16 {
    match status {
        Status::Created => 201,
        Status::Duplicate => 202,
        Status::Resolved | Status::Rejected | Status::Failed => 200,
    }
}

fn failed(outcomes: Vec<SignalOutcome>, summary: Summary) -> Problem {
    let mut failures = outcomes.iter().filter_map(|outcome| Some((outcome.failure?, outcome.message.as_str())));
    let (first, message) = failures.next().unwrap_or((Failure::UNKNOWN, "unknown cause"));
    let wait = failures.map(|(failure, _)| failure.retry_after_seconds).fold(first.retry_after_seconds, u32::max);
    let detail = match summary.total {
        1 => message.to_owned(),
        total => format!(
            "{} of {total} results were not durably counted; send the whole request again; first failure: {message}",
            summary.failed
        ),
    };
    Problem { multi_status: multi_status(outcomes, summary), ..Problem::new(first.problem, detail).retry_after(wait) }
}

fn rejected(outcomes: Vec<SignalOutcome>, summary: Summary) -> Problem {
    let first = outcomes.first().map(|outcome| outcome.message.as_str()).unwrap_or_default();
    let kind = rejection(&outcomes);
    let detail = match (kind, summary.total) {
        // Of the request, not of its signals: a replica that gets the whole body lists none of them.
        (ProblemKind::Unauthenticated, _) => return Problem::new(kind, first),
        (_, 1) => first.to_owned(),
        (ProblemKind::Forbidden, total) => format!("none of {total} signals is permitted; first: {first}"),
        (_, total) => format!("none of {total} signals is usable; first: {first}"),
    };
    Problem { multi_status: multi_status(outcomes, summary), ..Problem::new(kind, detail) }
}

/// Why all `outcomes` are rejected. If the sender was refused for some only, the signals of others are unusable.
fn rejection(outcomes: &[SignalOutcome]) -> ProblemKind {
    let all = |accepted: fn(ProblemKind) -> bool| outcomes.iter().all(|outcome| outcome.denial.is_some_and(accepted));
    if all(|denial| denial == ProblemKind::Unauthenticated) {
        ProblemKind::Unauthenticated
    } else if all(ProblemKind::is_denial) {
        ProblemKind::Forbidden
    } else {
        ProblemKind::UnusableSignals
    }
}

/// The outcomes, if there are several.
fn multi_status(results: Vec<SignalOutcome>, summary: Summary) -> Option<Box<MultiStatus>> {
    (summary.total > 1).then(|| Box::new(MultiStatus { results, summary }))
}

#[cfg(test)]
mod tests;
