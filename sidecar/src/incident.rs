//! The interface between HTTP and the claim protocol: what a request submits for one fingerprint, and the result.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use onceway_signal::response::TargetRejection;
use onceway_signal::{Fingerprint, Source};
use tokio::time::Instant;
use tracing::Span;

use crate::rr::{Provenance, RemediationRequestSpec, SignalList};
use crate::traces::Trace;
use crate::workload::NewTarget;

/// The firing signals of one fingerprint in one request. They get one result and are counted individually.
pub struct Submission {
    /// The incident.
    pub fingerprint: Fingerprint,
    /// What sent the signals.
    pub source: Source,
    /// The number of firing signals.
    pub signals: NonZeroU32,
    /// The same signals by name.
    pub by_name: SignalList,
    /// When the request was received; becomes `lastSeenAt`, and `firstSeenAt` of a new RR.
    pub received: Timestamp,
    /// When the sender gets a 503 if the signals are not durably counted by then.
    pub deadline: Instant,
    /// Writes the spec of a new RR.
    pub spec: WriteSpec,
    /// What the new RR names.
    pub target: NewTarget,
    /// What log lines about it say.
    pub log: LogContext,
    /// Who asked; annotations of a new RR.
    pub provenance: Provenance,
    /// The target's namespace, for the budgets; empty: none.
    pub namespace: Arc<str>,
    /// Called when the signals are durably counted, whether or not the sender still waits.
    pub when_counted: Option<WhenCounted>,
}

/// What log lines about a submission say besides its fingerprint.
#[derive(Clone, Debug)]
pub struct LogContext {
    /// The target: `[<cluster>:]<namespace>:<Kind>:<name>`.
    pub target: Arc<str>,
    /// The span of the request: its id, trace id, path and sender.
    pub request: Span,
    /// The same in a trace.
    pub trace: Trace,
}

impl Default for LogContext {
    fn default() -> Self {
        Self { target: "".into(), request: Span::none(), trace: Trace::default() }
    }
}

/// Writes the spec of a new RR, which names the object that the signal does. Called only where one is created, so that
/// duplicates do not pay for it.
pub type WriteSpec = Arc<dyn Fn() -> RemediationRequestSpec + Send + Sync>;

/// Called if a submission is counted; dropped otherwise.
pub type WhenCounted = Box<dyn FnOnce(&Counted) + Send + Sync>;

/// The durable outcome of a [`Submission`]: its signals are counted in the status of the named RR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whether this very submission created the RR (at most one submission of a batch).
    pub created: bool,
    /// The RR's name.
    pub name: String,
    /// The RR's namespace.
    pub namespace: String,
    /// `occurrenceCount` after the write that counted the signals.
    pub count: u32,
    /// `firstSeenAt` of the RR.
    pub first_seen: Timestamp,
    /// `lastSeenAt` of the RR.
    pub last_seen: Timestamp,
}

/// Why a submission was not counted. Every variant but [`Self::Denied`] and [`Self::Rejected`] is a 503 with Retry-After: the
/// sender must retry. Those two are final: there is to be no RR.
///
/// `Display` is for the log: it has the cause, which may name namespaces, accounts and objects of the cluster. The sender gets
/// [`Self::sender_text`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// A named limit (queue, incidents) is reached; nothing was tried.
    #[error("overloaded: {limit} is reached; send the signal again after {retry_after_s} s")]
    Overloaded {
        /// The name of the limit in the configuration.
        limit: &'static str,
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// The sidecar is shutting down and accepts no more signals; another replica does.
    #[error("this replica is shutting down; send the signal again")]
    Draining,
    /// The deadline passed before the signals were durably counted.
    #[error("not durably counted within {deadline_ms} ms: {cause}; send the signal again")]
    Deadline {
        /// The deadline, in milliseconds.
        deadline_ms: u64,
        /// What the commit was waiting for, and the last error if there was one.
        cause: String,
    },
    /// The API server refused a call, and a retry would be refused too: missing permission, exceeded quota.
    #[error("not counted: {cause}; fix that, then send the signal again")]
    Refused {
        /// The call and the API server's message.
        cause: String,
    },
    /// An admission policy of the cluster denied the RR. Final.
    #[error("not counted: {cause}")]
    Denied {
        /// The call and the policy's message.
        cause: String,
    },
    /// Its target is out of scope, or does not exist. Final, and no error of the sender's.
    #[error("not counted: {}", .0.message)]
    Rejected(Box<TargetRejection>),
    /// Whether its target is in scope could not be decided.
    #[error("not counted: cannot decide whether the target is in scope: {cause}; send the signal again")]
    Undecided {
        /// What could not be read, and why.
        cause: String,
    },
    /// The outcome of a count is unknown and could not be resolved: the signals may or may not be counted.
    #[error("unknown whether the signals were counted ({cause}); send them again")]
    Unresolved {
        /// The activity of the commit, and the last error if there was one.
        cause: String,
    },
}

impl SubmitError {
    /// The error of a deadline of this length.
    pub fn deadline(length: Duration, cause: impl Into<String>) -> Self {
        let deadline_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self::Deadline { deadline_ms, cause: cause.into() }
    }

    /// The same for the sender: what happened and what to do, and nothing about the cluster.
    pub fn sender_text(&self) -> String {
        match self {
            Self::Overloaded { .. } | Self::Draining => self.to_string(),
            Self::Deadline { deadline_ms, .. } => {
                format!("not durably counted within {deadline_ms} ms; send the signal again")
            }
            Self::Refused { .. } => {
                "not counted: the cluster refused to store the signal, and an operator must fix that \
                                     (the log has the cause); send the signal again"
                    .to_owned()
            }
            Self::Denied { .. } => "an admission policy of the cluster forbids a remediation here".to_owned(),
            Self::Rejected(rejection) => rejection.message.clone(),
            Self::Undecided { .. } => {
                "not counted: whether the target is in scope could not be decided; send the signal again".to_owned()
            }
            Self::Unresolved { .. } => "unknown whether the signals were counted; send them again".to_owned(),
        }
    }

    /// The name of the limit that was reached, if any.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Overloaded { limit, .. } => Some(limit),
            _ => None,
        }
    }
}

/// Commits submissions durably. Implemented by the incident tasks, and by doubles in tests of the HTTP layer.
pub trait Commit: Send + Sync + 'static {
    /// Counts the submission in exactly one RR, and creates the RR if there is none. A caller that no longer waits ends the wait,
    /// not the commit.
    ///
    /// # Errors
    /// [`SubmitError`] if it is not counted, or not known to be counted.
    fn submit(&self, submission: Submission) -> impl Future<Output = Result<Counted, SubmitError>> + Send;
}

/// Finishes pending work and rejects new work.
pub trait Drain {
    /// Returns when no work is pending.
    fn drain(&self) -> impl Future<Output = ()> + Send;
}
