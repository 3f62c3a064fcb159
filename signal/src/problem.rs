//! Errors as RFC 7807 problem details: what happened, to what, and what to do.

use serde::Serialize;

use crate::outcome::MultiStatus;
pub use crate::problem_kind::{ProblemKind, ProblemTypes};

/// A problem, as sent to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The URI of the kind.
    #[serde(rename = "type")]
    pub uri: &'static str,
    /// The kind for readers.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened in this request, and what to do.
    pub detail: String,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<&'static str>,
    /// The id of the request, as in its header `X-Request-ID`: a member of kubernaut's problems, not of ours.
    #[serde(rename = "request_id", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Box<str>>,
    /// The kind in our words, beside the types of others, which have fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ProblemKind>,
    /// The outcome of each signal, if the request had several.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub multi_status: Option<Box<MultiStatus>>,
    /// The header `Retry-After`, in seconds.
    #[serde(skip)]
    pub retry_after_s: Option<u32>,
}

impl Problem {
    /// A problem of this kind; `detail` says what happened and what to do.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let (status, uri, title) = kind.description();
        Self {
            uri,
            title,
            status,
            detail: detail.into(),
            instance: None,
            request_id: None,
            kind: None,
            multi_status: None,
            retry_after_s: None,
        }
    }

    /// The same problem with the types, titles and members of `types`.
    #[must_use]
    pub fn typed(self, types: ProblemTypes) -> Self {
        if types == ProblemTypes::Onceway {
            return Self { request_id: None, ..self };
        }
        match ProblemKind::from_uri(self.uri).and_then(|kind| Some((kind, kind.kubernaut()?))) {
            Some((kind, (uri, title))) => Self { uri, title, kind: Some(kind), ..self },
            None => self,
        }
    }

    /// Sets the header `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}
