//! What the executor returns for one call.

use std::time::Duration;

use http::StatusCode;
use onceway_claim::ApiResult;

/// The result of a call for the protocol, and the reason where it is unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    /// The protocol's input.
    pub result: ApiResult,
    /// Why the result is [`ApiResult::Unknown`].
    pub failure: Option<CallFailure>,
    /// The response's `Retry-After`.
    pub retry_after: Option<Duration>,
    /// Size of the response's body in bytes; for a call about one object, about the object's size.
    pub bytes: usize,
}

/// Why a call has no definite result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFailure {
    /// The API server rejected the call and will reject it again: permission, validation, quota.
    #[error("the API server refused ({status}): {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's message.
        reason: String,
    },
    /// An admission policy or webhook denied the creation of an RR: somebody decided that there is to be none.
    #[error("an admission policy denied it: {reason}")]
    Denied {
        /// The policy's message.
        reason: String,
    },
    /// The API server is overloaded (429) or failed (5xx), or a proxy responded in its place.
    #[error("the API server responded with {status}: {reason}")]
    Server {
        /// The HTTP status.
        status: u16,
        /// The server's message.
        reason: String,
    },
    /// No response in time.
    #[error("the API server did not respond within {} ms", .after.as_millis())]
    Timeout {
        /// `limits.apiCallTimeout`.
        after: Duration,
    },
    /// The connection failed, before or after the call was executed.
    #[error("the connection to the API server failed: {reason}")]
    Connection {
        /// The error and its causes.
        reason: String,
    },
    /// A 2xx that cannot be right: not the requested object, or a write that changed nothing.
    #[error("the API server's response is invalid: {reason}")]
    Nonsense {
        /// What is wrong with it.
        reason: String,
    },
    /// Another gateway holds the incident's lock (`migration.kubernautLocks`).
    #[error("the Lease {lease} is held by {holder:?}")]
    Locked {
        /// The Lease's name.
        lease: String,
        /// Its `holderIdentity`; empty if it changed hands between two calls.
        holder: String,
    },
    /// The object exists with content that no sidecar writes. A retry fails until a human fixes it.
    #[error("{reason}")]
    Unusable {
        /// What is wrong with it, and what to do.
        reason: String,
    },
}

impl CallFailure {
    /// The failure of a status that is neither 2xx nor a definite 404 or 409.
    pub(super) fn of(status: StatusCode, reason: String) -> Self {
        let code = status.as_u16();
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::NOT_FOUND | StatusCode::CONFLICT => {
                Self::Server { status: code, reason }
            }
            _ if status.is_client_error() => Self::Refused { status: code, reason },
            _ => Self::Server { status: code, reason },
        }
    }

    /// Whether a retry would fail in the same way.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Denied { .. } | Self::Unusable { .. })
    }

    /// The metrics' label; one of a small set.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refused { status: 401, .. } => "unauthorized",
            Self::Refused { status: 403, .. } => "forbidden",
            Self::Refused { .. } => "refused",
            Self::Denied { .. } => "denied",
            Self::Server { status: 429, .. } => "throttled",
            Self::Server { .. } => "server_error",
            Self::Timeout { .. } => "timeout",
            Self::Connection { .. } => "connection",
            Self::Nonsense { .. } => "nonsense",
            Self::Locked { .. } => "locked",
            Self::Unusable { .. } => "unusable",
        }
    }
}

/// A request that cannot be built is a bug: every part of it was checked when it was read.
impl From<kube::core::request::Error> for CallFailure {
    fn from(error: kube::core::request::Error) -> Self {
        Self::Refused { status: 400, reason: error.to_string() }
    }
}

impl CallOutcome {
    /// A definite result.
    pub fn definite(result: ApiResult) -> Self {
        Self { result, failure: None, retry_after: None, bytes: 0 }
    }

    /// No definite result, and why.
    pub fn unknown(failure: CallFailure) -> Self {
        Self { result: ApiResult::Unknown, failure: Some(failure), retry_after: None, bytes: 0 }
    }

    /// The metrics' label.
    pub(super) fn label(&self) -> &'static str {
        match (&self.failure, &self.result) {
            (Some(failure), _) => failure.label(),
            (None, ApiResult::Missing) => "not_found",
            (None, ApiResult::Conflict) => "conflict",
            (None, _) => "ok",
        }
    }
}
