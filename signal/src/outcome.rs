//! The outcome of each signal, or incident, in a request.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

use crate::problem_kind::ProblemKind;

/// The outcome of an incident's signals, or of an alert that names no incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalOutcome {
    /// The outcome in one word.
    pub status: Status,
    /// The outcome for readers, and what to do about it.
    pub message: String,
    /// The incident; absent if an alert names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whether the signals were counted in an RR that existed before.
    pub duplicate: bool,
    /// The index of the alert in the webhook, if the alert names no incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<usize>,
    /// The number of alerts with this outcome, if they are too many to be listed one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<usize>,
    /// The name of the RR that counts the signals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation_request_name: Option<String>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remediation_request_namespace: Option<String>,
    /// What the RR records about the incident.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// Why it failed, and when to send it again; absent unless it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Why it was rejected, if the sender was refused and not the signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<ProblemKind>,
    /// Why it was rejected, if that is no error of the sender's: the target is out of scope, or does not exist. The fields
    /// are those of kubernaut's gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Box<TargetRejection>>,
}

/// Why there is to be no remediation of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRejection {
    /// Always [`Status::Rejected`].
    pub status: Status,
    /// The reason in one word: `unmanaged_resource`, `missing_resource`.
    pub reason: String,
    /// The reason for readers.
    pub message: String,
    /// The target: `<namespace>:<Kind>:<name>`, or `<Kind>:<name>` without a namespace.
    pub resource: String,
    /// What an operator can do about it.
    pub action: String,
}

/// An outcome in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// An RR was created, and counts the signals.
    Created,
    /// The signals were counted in an RR that existed.
    Duplicate,
    /// Nothing to do.
    Resolved,
    /// The signal is unusable; sending it again does not help.
    Rejected,
    /// Not counted, or not known to be counted: send it again.
    Failed,
}

/// What an RR records about its incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The incident.
    pub fingerprint: String,
    /// The number of counted signals.
    pub count: u32,
    /// The RR, as `namespace/name`.
    pub remediation_request_ref: String,
    /// When its first signal was received, in RFC 3339.
    pub first_occurrence: String,
    /// When its last signal was received, in RFC 3339.
    pub last_occurrence: String,
}

/// A temporary failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The kind of the problem.
    pub problem: ProblemKind,
    /// When to send the signals again, in seconds.
    pub retry_after_seconds: u32,
}

/// The outcomes of a request with several signals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiStatus {
    /// The outcomes, in the order of first appearance in the webhook.
    pub results: Vec<SignalOutcome>,
    /// The number of outcomes by status.
    pub summary: Summary,
}

/// The number of outcomes by status; those with nothing to do are only in the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// All outcomes.
    pub total: usize,
    /// Incidents with a new RR.
    pub created: usize,
    /// Incidents with an existing RR.
    pub deduplicated: usize,
    /// Unusable alerts.
    pub rejected: usize,
    /// Incidents to send again.
    pub failed: usize,
}

impl Failure {
    /// The failure that is assumed if the cause is not known.
    pub const UNKNOWN: Self = Self { problem: ProblemKind::OutcomeUnknown, retry_after_seconds: 1 };
}

impl Summary {
    pub(crate) fn of(outcomes: &[SignalOutcome]) -> Self {
        let total = |outcomes: &mut dyn Iterator<Item = &SignalOutcome>| {
            outcomes.map(|outcome| outcome.stands_for.unwrap_or(1)).fold(0, usize::saturating_add)
        };
        let count = |status| total(&mut outcomes.iter().filter(|outcome| outcome.status == status));
        Self {
            total: total(&mut outcomes.iter()),
            created: count(Status::Created),
            deduplicated: count(Status::Duplicate),
            rejected: count(Status::Rejected),
            failed: count(Status::Failed),
        }
    }
}

impl SignalOutcome {
    /// Nothing to do, for `reason`.
    #[must_use]
    pub fn nothing_to_do(fingerprint: Option<String>, reason: &str) -> Self {
        Self { fingerprint, ..Self::bare(Status::Resolved, format!("nothing to do: {reason}")) }
    }

    /// A signal is unusable, for `reason`.
    #[must_use]
    pub fn rejected(reason: String) -> Self {
        Self::bare(Status::Rejected, reason)
    }

    /// The sender was refused, for `reason`: it is not known, or may not signal about an incident.
    #[must_use]
    pub fn denied(fingerprint: Option<String>, denial: ProblemKind, reason: String) -> Self {
        Self { fingerprint, denial: Some(denial), ..Self::rejected(reason) }
    }

    /// There is to be no remediation of the signal's target.
    #[must_use]
    pub fn rejected_target(fingerprint: String, rejection: TargetRejection) -> Self {
        let message = rejection.message.clone();
        let rejection = Some(Box::new(rejection));
        Self { fingerprint: Some(fingerprint), rejection, ..Self::rejected(message) }
    }

    /// The alert at `index` of a webhook is unusable, for `reason`.
    #[must_use]
    pub fn rejected_at(index: usize, reason: impl Display) -> Self {
        Self { alert: Some(index), ..Self::rejected(format!("{}: {reason}", alert_path(index))) }
    }

    /// The same outcome for an alert at `index` of another webhook. An outcome that names no alert is unchanged.
    #[must_use]
    pub fn moved_to(self, index: usize) -> Self {
        let Some(from) = self.alert else { return self };
        let message = match self.message.strip_prefix(&alert_path(from)) {
            Some(rest) => format!("{}{rest}", alert_path(index)),
            None => self.message,
        };
        Self { alert: Some(index), message, ..self }
    }

    /// `alerts` further alerts are unusable and not listed one by one; the first of them is at `index`.
    #[must_use]
    pub fn rejected_rest(index: usize, alerts: usize) -> Self {
        let message =
            format!("{} and later: {alerts} more unusable alerts; fix the listed ones first", alert_path(index));
        Self { alert: Some(index), stands_for: Some(alerts), ..Self::rejected(message) }
    }

    /// An incident's signals are not counted, or not known to be counted.
    #[must_use]
    pub fn failed(fingerprint: String, message: String, failure: Failure) -> Self {
        Self { fingerprint: Some(fingerprint), ..Self::failed_without_fingerprint(message, failure) }
    }

    /// Signals of an incident that is not known here are not counted, or not known to be counted.
    #[must_use]
    pub fn failed_without_fingerprint(message: String, failure: Failure) -> Self {
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
            denial: None,
            rejection: None,
        }
    }
}

/// The index of the alert that a message of [`SignalOutcome::rejected_at`] is about.
pub(crate) fn alert_of(message: &str) -> Option<usize> {
    let (index, _) = message.strip_prefix("alerts[")?.split_once("]: ")?;
    index.parse().ok()
}

/// The path of an alert in the webhook.
fn alert_path(index: usize) -> String {
    format!("alerts[{index}]")
}
