//! The kinds of problems, each with its URI, title and HTTP status.

use serde::{Deserialize, Serialize};

/// The kind of a problem; each has a URI, a title and a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// The body is not what the path takes.
    MalformedPayload,
    /// The body is well-formed, but none of its signals is usable.
    UnusableSignals,
    /// The sender is not known: no credentials, or invalid ones.
    Unauthenticated,
    /// The sender is known, and may not signal about this.
    Forbidden,
    /// No such path.
    NotFound,
    /// The path takes another method.
    MethodNotAllowed,
    /// The body is larger than the limit.
    PayloadTooLarge,
    /// The body is not plain JSON.
    UnsupportedMediaType,
    /// The request says that it was sent at a time that cannot be right.
    InvalidTimestamp,
    /// A bug in Onceway.
    Internal,
    /// A load limit is reached.
    Overloaded,
    /// The replica is shutting down.
    Draining,
    /// Whether the sender may signal could not be checked.
    AuthUnavailable,
    /// No replica is reachable.
    Unreachable,
    /// The body took too long to arrive.
    BodyTimeout,
    /// The body ended early.
    BodyIncomplete,
    /// The signals were not durably counted in time.
    DeadlineExceeded,
    /// The API server refused a call that counting needs.
    Refused,
    /// Whether the signals were counted is unknown.
    OutcomeUnknown,
    /// The replica is not ready: the response of a probe, never of a signal.
    NotReady,
}

/// Whose URIs and titles name the kinds of problems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemTypes {
    /// Ours.
    #[default]
    Onceway,
    /// Those of kubernaut's gateway where it has the same case; ours elsewhere.
    Kubernaut,
}

/// The start of every URI of ours.
const URIS: &str = "https://onceway.io/problems/";

/// The URI of a kind: an identifier, which need not resolve.
macro_rules! uri {
    ($slug:literal) => {
        concat!("https://onceway.io/problems/", $slug)
    };
}

/// The URI of a type of kubernaut's gateway.
macro_rules! kubernaut {
    ($slug:literal) => {
        concat!("https://kubernaut.ai/problems/", $slug)
    };
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::MalformedPayload,
        Self::UnusableSignals,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidTimestamp,
        Self::Internal,
        Self::Overloaded,
        Self::Draining,
        Self::AuthUnavailable,
        Self::Unreachable,
        Self::BodyTimeout,
        Self::BodyIncomplete,
        Self::DeadlineExceeded,
        Self::Refused,
        Self::OutcomeUnknown,
        Self::NotReady,
    ];

    /// The kind that a problem's URI names, if it is a kind of this list.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.description().1 == uri)
    }

    /// The kind of this name, the last part of its URI, if it is a kind of this list.
    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.slug() == slug)
    }

    /// The name: the last part of the URI.
    #[must_use]
    pub fn slug(self) -> &'static str {
        let (_, uri, _) = self.description();
        uri.strip_prefix(URIS).unwrap_or(uri)
    }

    /// The type and the title of kubernaut's gateway for the same case, if it has it. Its types follow the status.
    pub(crate) const fn kubernaut(self) -> Option<(&'static str, &'static str)> {
        Some(match self.description().0 {
            400 => (kubernaut!("validation-error"), "Bad Request"),
            401 => (kubernaut!("unauthorized"), "Unauthorized"),
            403 => (kubernaut!("forbidden"), "Forbidden"),
            405 => (kubernaut!("method-not-allowed"), "Method Not Allowed"),
            413 => (kubernaut!("payload-too-large"), "Request Entity Too Large"),
            415 => (kubernaut!("unsupported-media-type"), "Unsupported Media Type"),
            500 => (kubernaut!("internal-error"), "Internal Server Error"),
            503 => (kubernaut!("service-unavailable"), "Service Unavailable"),
            // Its 404 is plain text.
            _ => return None,
        })
    }

    /// Whether it refuses the sender, not the signal.
    #[must_use]
    pub const fn is_denial(self) -> bool {
        matches!(self, Self::Unauthenticated | Self::Forbidden)
    }

    /// The HTTP status, the URI and the title. Only 5xx means "send again": Alertmanager retries 5xx, and drops a
    /// notification that is answered 4xx.
    pub(crate) const fn description(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::MalformedPayload => (400, uri!("malformed-payload"), "The payload is malformed"),
            Self::UnusableSignals => (400, uri!("unusable-signals"), "No signal in the payload is usable"),
            Self::Unauthenticated => (401, uri!("unauthenticated"), "The sender is not authenticated"),
            Self::Forbidden => (403, uri!("forbidden"), "The sender may not signal about this"),
            Self::NotFound => (404, uri!("not-found"), "No endpoint at this path"),
            Self::MethodNotAllowed => (405, uri!("method-not-allowed"), "The method is not allowed"),
            Self::PayloadTooLarge => (413, uri!("payload-too-large"), "The payload is too large"),
            Self::UnsupportedMediaType => (415, uri!("unsupported-media-type"), "The payload is not plain JSON"),
            Self::InvalidTimestamp => (400, uri!("invalid-timestamp"), "X-Timestamp is malformed or out of range"),
            Self::Internal => (500, uri!("internal"), "Internal error"),
            Self::Overloaded => (503, uri!("overloaded"), "A load limit is reached"),
            Self::Draining => (503, uri!("draining"), "The replica is shutting down"),
            Self::AuthUnavailable => (503, uri!("auth-unavailable"), "The sender's rights could not be checked"),
            Self::Unreachable => (503, uri!("unreachable"), "No replica is reachable"),
            Self::BodyTimeout => (503, uri!("body-timeout"), "The payload took too long to arrive"),
            Self::BodyIncomplete => (503, uri!("body-incomplete"), "The payload is incomplete"),
            Self::DeadlineExceeded => (503, uri!("deadline-exceeded"), "The signals were not durably counted in time"),
            Self::Refused => (503, uri!("refused"), "The signals could not be stored"),
            Self::OutcomeUnknown => (503, uri!("outcome-unknown"), "Whether the signals were counted is unknown"),
            Self::NotReady => (503, uri!("not-ready"), "The replica is not ready"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ProblemKind;

    #[test]
    fn a_kind_is_found_by_its_uri_and_by_its_name_which_is_also_that_of_its_json() {
        for kind in ProblemKind::ALL {
            assert_eq!(ProblemKind::from_uri(kind.description().1), Some(kind));
            assert_eq!(ProblemKind::from_slug(kind.slug()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.slug());
        }
        assert_eq!((ProblemKind::from_slug("unheard-of"), ProblemKind::from_slug("")), (None, None));
    }

    #[test]
    fn only_an_unknown_path_has_no_type_of_kubernauts() {
        let without: Vec<_> = ProblemKind::ALL.into_iter().filter(|kind| kind.kubernaut().is_none()).collect();
        assert_eq!(without, [ProblemKind::NotFound]);
    }
}
