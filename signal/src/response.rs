//! What a sender is told: the outcome of each incident in a request, and the one answer that they make together.
//!
//! Shared by the sidecar, which answers a whole body, and the filter, which splits a body into one request per incident
//! and merges what it gets back: the sender sees the very same answer.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::problem::{Problem, ProblemKind};

mod wire;

pub use self::wire::read;

/// What became of one part of a request: of an incident's signals, or of an alert that names no incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalOutcome {
    /// What became of it, in a word.
    pub status: Status,
    /// The same for people, with what to do if something is to be done.
    pub message: String,
    /// The incident; absent where an alert names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whether the signals were counted in an RR that existed before.
    pub duplicate: bool,
    /// The place of the alert among the webhook's, where an alert names no incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<usize>,
    /// How many alerts it speaks for, where they are too many to be named one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<usize>,
    /// The name of the RR that counts the signals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation_request_name: Option<String>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation_request_namespace: Option<String>,
    /// What the RR says of the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Why it failed, and when to send it again; only where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// What became of a part, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// An RR was created, and counts the signals.
    Created,
    /// The signals were counted in an RR that existed.
    Duplicate,
    /// There was nothing to do.
    Resolved,
    /// It can never be used as it is.
    Rejected,
    /// It was not, or is not known to be, counted: to be sent again.
    Failed,
}

/// What an RR says of its incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The incident.
    pub fingerprint: String,
    /// How many signals are counted.
    pub count: u32,
    /// The RR, as `namespace/name`.
    pub remediation_request_ref: String,
    /// When its first signal was received, in RFC 3339.
    pub first_occurrence: String,
    /// When its last signal was received, in RFC 3339.
    pub last_occurrence: String,
}

/// A passing failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What kind of problem it is.
    pub problem: ProblemKind,
    /// When to send the signals again, in seconds.
    pub retry_after_seconds: u32,
}

/// What became of several parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiStatus {
    /// Each part, in the order in which the webhook first names it.
    pub results: Vec<SignalOutcome>,
    /// How many there are of each kind.
    pub summary: Summary,
}

/// How many parts there are of each kind; those with nothing to do are in the total alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// All of them.
    pub total: usize,
    /// Incidents that got a new RR.
    pub created: usize,
    /// Incidents that had one.
    pub deduplicated: usize,
    /// Alerts that can never be used.
    pub rejected: usize,
    /// Incidents to be sent again.
    pub failed: usize,
}

/// An answer: its HTTP status and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalResponse {
    /// What became of the only part.
    One(u16, Box<SignalOutcome>),
    /// 207: what became of each of several parts, none of which is to be sent again.
    MultiStatus(MultiStatus),
    /// An error.
    Problem(Box<Problem>),
}

impl From<Problem> for SignalResponse {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

/// The one answer that `outcomes`, in the webhook's order, make.
///
/// A part that failed makes it 503 whatever became of the others, so that the sender sends again and nothing is lost;
/// parts that succeeded are then counted twice, which is what a repeated signal is. Otherwise a single part is answered
/// as it is, several are answered 207, and 400 says that nothing at all could be used.
#[must_use]
pub fn merge(mut outcomes: Vec<SignalOutcome>) -> SignalResponse {
    let summary = Summary::of(&outcomes);
    if summary.failed > 0 {
        return failed(outcomes, summary).into();
    }
    if summary.total > 0 && summary.rejected == summary.total {
        return rejected(outcomes, summary).into();
    }
    match (outcomes.pop(), summary.total) {
        (None, _) => one(SignalOutcome::nothing_to_do(None, "the webhook holds no alerts")),
        (Some(only), 1) => one(only),
        (Some(last), _) => {
            outcomes.push(last);
            SignalResponse::MultiStatus(MultiStatus { results: outcomes, summary })
        }
    }
}

fn one(outcome: SignalOutcome) -> SignalResponse {
    SignalResponse::One(code(outcome.status), Box::new(outcome))
}

/// The HTTP status of an only outcome that is no error.
const fn code(status: Status) -> u16 {
    match status {
        Status::Created => 201,
        Status::Duplicate => 202,
        Status::Resolved | Status::Rejected | Status::Failed => 200,
    }
}

fn failed(outcomes: Vec<SignalOutcome>, summary: Summary) -> Problem {
    let mut failures = outcomes.iter().filter_map(|outcome| Some((outcome.failure?, outcome.message.as_str())));
    let (first, message) = failures.next().unwrap_or((Failure::UNKNOWN, "the cause is not known"));
    let wait = failures.map(|(failure, _)| failure.retry_after_seconds).fold(first.retry_after_seconds, u32::max);
    let detail = match summary.total {
        1 => message.to_owned(),
        total => format!(
            "{} of {total} parts were not durably counted, so that the whole request is to be sent again; the first: {message}",
            summary.failed
        ),
    };
    Problem { several: several(outcomes, summary), ..Problem::new(first.problem, detail).retry_after(wait) }
}

fn rejected(outcomes: Vec<SignalOutcome>, summary: Summary) -> Problem {
    let first = outcomes.first().map(|outcome| outcome.message.as_str()).unwrap_or_default();
    let detail = match summary.total {
        1 => first.to_owned(),
        total => format!("none of {total} signals can be used; the first: {first}"),
    };
    Problem { several: several(outcomes, summary), ..Problem::new(ProblemKind::UnusableSignals, detail) }
}

/// An alert, by its place in the webhook.
fn name(place: usize) -> String {
    format!("alerts[{place}]")
}

fn several(results: Vec<SignalOutcome>, summary: Summary) -> Option<Box<MultiStatus>> {
    (summary.total > 1).then(|| Box::new(MultiStatus { results, summary }))
}

impl Failure {
    /// What is assumed of a failure that does not say what it is.
    pub const UNKNOWN: Self = Self { problem: ProblemKind::OutcomeUnknown, retry_after_seconds: 1 };
}

impl Summary {
    fn of(outcomes: &[SignalOutcome]) -> Self {
        let all = |outcomes: &mut dyn Iterator<Item = &SignalOutcome>| {
            outcomes.map(|outcome| outcome.stands_for.unwrap_or(1)).fold(0, usize::saturating_add)
        };
        let count = |status| all(&mut outcomes.iter().filter(|outcome| outcome.status == status));
        Self {
            total: all(&mut outcomes.iter()),
            created: count(Status::Created),
            deduplicated: count(Status::Duplicate),
            rejected: count(Status::Rejected),
            failed: count(Status::Failed),
        }
    }
}

impl SignalOutcome {
    /// There was nothing to do, for `reason`.
    #[must_use]
    pub fn nothing_to_do(fingerprint: Option<String>, reason: &str) -> Self {
        Self { fingerprint, ..Self::bare(Status::Resolved, format!("nothing to do: {reason}")) }
    }

    /// A signal can never be used, for `reason`.
    #[must_use]
    pub fn rejected(reason: String) -> Self {
        Self::bare(Status::Rejected, reason)
    }

    /// The alert at `place` of a webhook can never be used, for `reason`.
    #[must_use]
    pub fn rejected_at(place: usize, reason: impl Display) -> Self {
        Self { alert: Some(place), ..Self::rejected(format!("{}: {reason}", name(place))) }
    }

    /// The same, of an alert that stands at `place` of another webhook. What is not about a single alert stays as it is.
    #[must_use]
    pub fn moved_to(self, place: usize) -> Self {
        let Some(from) = self.alert else { return self };
        let message = match self.message.strip_prefix(&name(from)) {
            Some(rest) => format!("{}{rest}", name(place)),
            None => self.message,
        };
        Self { alert: Some(place), message, ..self }
    }

    /// So many `alerts` can never be used, of which the first stands at `place`.
    #[must_use]
    pub fn unnamed(place: usize, alerts: usize) -> Self {
        let message =
            format!("{} and later ones cannot be used either, {alerts} in all; mend the first ones", name(place));
        Self { alert: Some(place), stands_for: Some(alerts), ..Self::rejected(message) }
    }

    /// An incident's signals were not, or are not known to be, counted.
    #[must_use]
    pub fn failed(fingerprint: String, message: String, failure: Failure) -> Self {
        Self { fingerprint: Some(fingerprint), ..Self::passing(message, failure) }
    }

    /// Signals were not, or are not known to be, counted.
    #[must_use]
    pub fn passing(message: String, failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::bare(Status::Failed, message) }
    }

    /// An incident's signals are counted in the RR that `metadata` describes.
    #[must_use]
    pub fn counted(created: bool, namespace: String, name: String, metadata: Metadata) -> Self {
        let (status, message) = if created {
            (Status::Created, "a RemediationRequest was created")
        } else {
            (Status::Duplicate, "counted in the incident's RemediationRequest")
        };
        Self {
            fingerprint: Some(metadata.fingerprint.clone()),
            duplicate: !created,
            remediation_request_name: Some(name),
            remediation_request_namespace: Some(namespace),
            metadata: Some(metadata),
            ..Self::bare(status, message.to_owned())
        }
    }

    fn bare(status: Status, message: String) -> Self {
        Self {
            status,
            message,
            fingerprint: None,
            duplicate: false,
            alert: None,
            stands_for: None,
            remediation_request_name: None,
            remediation_request_namespace: None,
            metadata: None,
            failure: None,
        }
    }
}

#[cfg(test)]
mod tests;
