//! The seam between HTTP and the claim protocol: what a request hands in for one fingerprint, and what comes back.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;
use onceway_signal::Fingerprint;
use tokio::time::Instant;

use crate::rr::RemediationRequestSpec;

/// The firing signals of one fingerprint in one request: they are one answer and count as many as they are.
pub struct Submission {
    /// The incident that the signals belong to.
    pub fingerprint: Fingerprint,
    /// How many firing signals.
    pub signals: NonZeroU32,
    /// When the request was received; becomes `lastSeenAt`, and `firstSeenAt` where the RR is new.
    pub received: Timestamp,
    /// When the sender is told to send again, if the signals are not durably counted until then.
    pub deadline: Instant,
    /// Writes the spec of a new RR.
    pub spec: WriteSpec,
}

/// Writes the spec of a new RR. Called only where one is created, so that a duplicate never pays for it.
pub type WriteSpec = Arc<dyn Fn() -> RemediationRequestSpec + Send + Sync>;

/// The durable outcome of a [`Submission`]: its signals are counted in the status of the named RR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Whether this very submission created the RR (one submission of a batch at most).
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

/// Why a submission was not counted. All of them mean 503 with Retry-After: send it again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// A named limit (queue, signals in flight, fingerprints in hand) is reached; nothing was tried.
    #[error("overloaded: {limit} is reached; send the signal again after {retry_after_s} s")]
    Overloaded {
        /// The name of the limit in the configuration.
        limit: &'static str,
        /// Seconds to wait.
        retry_after_s: u32,
    },
    /// The sidecar is shutting down and takes no more signals; another replica will.
    #[error("this replica is shutting down; send the signal again")]
    Draining,
    /// The deadline passed before the signals were durably counted.
    #[error("not durably counted within {deadline_ms} ms: {cause}; send the signal again")]
    Deadline {
        /// The deadline, in milliseconds.
        deadline_ms: u64,
        /// What was being waited for, and the last error if there was one.
        cause: String,
    },
    /// The API server refused a call that it would refuse again: a right is missing, a quota is used up.
    #[error("not counted: {cause}; once that is mended, send the signal again")]
    Refused {
        /// The call and the API server's words.
        cause: String,
    },
    /// A count write had an unknown outcome that could not be resolved: it may or may not have counted.
    #[error("it is not known whether the signals were counted ({cause}); send them again")]
    Unresolved {
        /// What was being done, and the last error if there was one.
        cause: String,
    },
}

impl SubmitError {
    /// The name of the limit that was reached, if that is what it was.
    pub fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Overloaded { limit, .. } => Some(limit),
            _ => None,
        }
    }
}

/// Commits submissions durably; implemented by the owner tasks, and by doubles in tests of the HTTP layer.
pub trait Commit: Send + Sync + 'static {
    /// Counts the submission in exactly one RR, creating it if there is none.
    ///
    /// # Errors
    /// [`SubmitError`] if it could not be counted, or not be known to be counted.
    fn submit(&self, submission: Submission) -> impl Future<Output = Result<Counted, SubmitError>> + Send;
}

/// Finishes what it has in hand, and begins nothing new.
pub trait Drain {
    /// Ends when nothing is in hand any more.
    fn drain(&self) -> impl Future<Output = ()> + Send;
}
