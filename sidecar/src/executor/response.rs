//! What the API server answered, in the protocol's words. Only 2xx, 404 and 409 say anything; all else is unknown.

use std::fmt;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use onceway_claim::{ApiCall, ApiResult};
use onceway_signal::Fingerprint;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::view;

/// The longest pause that a server is granted; the deadline ends it sooner.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// The longest part of a server's message that is kept.
const MAX_REASON_CHARS: usize = 300;

/// An answer to the protocol, and why it is unknown where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallOutcome {
    /// What the protocol is told.
    pub result: ApiResult,
    /// Why the answer is [`ApiResult::Unknown`].
    pub failure: Option<CallFailure>,
    /// How long the server asks to wait before the next call.
    pub retry_after: Option<Duration>,
    /// How large the answer was, in bytes: for a call about an object, about the object's size.
    pub bytes: usize,
}

/// Why a call has no definite answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFailure {
    /// The server refused the call as it is, and would refuse it again: rights, validation, quota.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        reason: String,
    },
    /// The server is overloaded (429) or broken (5xx), or something on the way to it answered in its stead.
    Server {
        /// The HTTP status.
        status: u16,
        /// The server's words.
        reason: String,
    },
    /// No answer in time.
    Timeout {
        /// `limits.apiCallTimeout`.
        after: Duration,
    },
    /// The connection failed, before or after the call was executed.
    Connection {
        /// What happened to it.
        reason: String,
    },
    /// A 2xx that cannot be right: not the object that was asked for, or a write that changed nothing.
    Nonsense {
        /// What is wrong with it.
        reason: String,
    },
    /// The object is there, and is not what we would have made of it: it stays so until somebody mends it.
    Unusable {
        /// What is wrong with it, and what to do.
        reason: String,
    },
}

impl CallFailure {
    /// What a status says that is neither 2xx, nor a believable 404 or 409.
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

    /// Whether asking again would meet the same.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Unusable { .. })
    }

    /// One of a small set of words, for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refused { status: 401, .. } => "unauthorized",
            Self::Refused { status: 403, .. } => "forbidden",
            Self::Refused { .. } => "refused",
            Self::Server { status: 429, .. } => "throttled",
            Self::Server { .. } => "server_error",
            Self::Timeout { .. } => "timeout",
            Self::Connection { .. } => "connection",
            Self::Nonsense { .. } => "nonsense",
            Self::Unusable { .. } => "unusable",
        }
    }
}

/// Only a bug makes a request that cannot be built: every part of it was checked when it was read.
impl From<kube::core::request::Error> for CallFailure {
    fn from(error: kube::core::request::Error) -> Self {
        Self::Refused { status: 400, reason: error.to_string() }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, reason } => write!(f, "the API server refused ({status}): {reason}"),
            Self::Server { status, reason } => write!(f, "the API server answered {status}: {reason}"),
            Self::Timeout { after } => write!(f, "the API server did not answer within {} ms", after.as_millis()),
            Self::Connection { reason } => write!(f, "the connection to the API server failed: {reason}"),
            Self::Nonsense { reason } => write!(f, "the API server's answer makes no sense: {reason}"),
            Self::Unusable { reason } => f.write_str(reason),
        }
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

    /// The outcome as metrics name it.
    pub(super) fn outcome(&self) -> &'static str {
        match (&self.failure, &self.result) {
            (Some(failure), _) => failure.label(),
            (None, ApiResult::Missing) => "not_found",
            (None, ApiResult::Conflict) => "conflict",
            (None, _) => "ok",
        }
    }
}

/// Reads the answer to `call`.
pub(super) fn read(
    call: &ApiCall,
    fingerprint: Fingerprint,
    status: StatusCode,
    retry_after: Option<Duration>,
    body: &[u8],
) -> CallOutcome {
    match status {
        _ if status.is_success() => view::read(call, fingerprint, body)
            .map_or_else(CallOutcome::unknown, |answer| unless_unchanged(call, answer)),
        // A create finds nothing missing but its namespace or its kind.
        StatusCode::NOT_FOUND if matches!(call, ApiCall::CreateClaim(_) | ApiCall::CreateRr { .. }) => {
            let reason = format!("{}; is the CRD applied, and does the namespace exist?", reason(body));
            CallOutcome::unknown(CallFailure::Refused { status: 404, reason })
        }
        StatusCode::NOT_FOUND if says(body, &["NotFound"]) => CallOutcome::definite(ApiResult::Missing),
        StatusCode::CONFLICT if says(body, &["AlreadyExists", "Conflict"]) => {
            CallOutcome::definite(ApiResult::Conflict)
        }
        _ => failed(status, retry_after, body),
    }
}

/// Reads the answer to a read that is not of the protocol.
pub(super) fn read_other<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<Option<T>, CallFailure> {
    match status {
        _ if status.is_success() => {
            serde_json::from_slice(body).map(Some).map_err(|error| CallFailure::Nonsense { reason: error.to_string() })
        }
        StatusCode::NOT_FOUND if says(body, &["NotFound"]) => Ok(None),
        _ => Err(CallFailure::of(status, reason(body))),
    }
}

/// A 404 or 409 counts only where the API server says it of the object, in a `Status`. A proxy on the way, or a server
/// that does not serve the resource yet, answers 404 as well, and it would be read as "free".
fn says(body: &[u8], reasons: &[&str]) -> bool {
    #[derive(Deserialize)]
    struct Status {
        kind: String,
        reason: String,
    }
    serde_json::from_slice::<Status>(body)
        .is_ok_and(|said| said.kind == "Status" && reasons.contains(&said.reason.as_str()))
}

/// A write of a claim that left its version as it was has fenced nothing, whatever its status says.
fn unless_unchanged(call: &ApiCall, answer: ApiResult) -> CallOutcome {
    match (call, &answer) {
        (ApiCall::UpdateClaim { version, .. }, ApiResult::Claim(claim)) if claim.version == *version => {
            CallOutcome::unknown(CallFailure::Nonsense { reason: "the write changed nothing".into() })
        }
        _ => CallOutcome::definite(answer),
    }
}

pub(super) fn failed(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> CallOutcome {
    CallOutcome { retry_after, ..CallOutcome::unknown(CallFailure::of(status, reason(body))) }
}

/// The `Retry-After` of an answer in seconds; the HTTP-date form, which no API server sends, is passed over.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// The server's message: of a Kubernetes Status where it is one, else the text itself.
fn reason(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    let text = serde_json::from_slice::<Status>(body)
        .map_or_else(|_| String::from_utf8_lossy(body).trim().to_owned(), |status| status.message);
    text.chars().take(MAX_REASON_CHARS).collect()
}

#[cfg(test)]
mod tests;
