//! Errors as RFC 7807 problem details: what happened, to what, and what to do.

use serde::{Deserialize, Serialize};

use crate::response::MultiStatus;

/// The kinds of problems; each has a URI, a title and a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// Nothing of the body can be used.
    MalformedPayload,
    /// The body is well-formed, and none of its signals names a target.
    UnusableSignals,
    /// No such path.
    NotFound,
    /// The path takes another method.
    MethodNotAllowed,
    /// The body is larger than the limit.
    PayloadTooLarge,
    /// The body is not plain JSON.
    UnsupportedMediaType,
    /// A bug of ours.
    Internal,
    /// A limit is reached.
    Overloaded,
    /// The replica is shutting down.
    Draining,
    /// No replica could be asked.
    Unreachable,
    /// The body took too long to arrive.
    BodyTimeout,
    /// The body did not arrive to its end.
    BodyIncomplete,
    /// The signals were not durably counted in time.
    DeadlineExceeded,
    /// The API server refused what counting takes.
    Refused,
    /// The signals may or may not have been counted.
    OutcomeUnknown,
}

/// The URI of a kind; it names the kind, and need not lead anywhere.
macro_rules! uri {
    ($slug:literal) => {
        concat!("https://onceway.io/problems/", $slug)
    };
}

impl ProblemKind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::MalformedPayload,
        Self::UnusableSignals,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Internal,
        Self::Overloaded,
        Self::Draining,
        Self::Unreachable,
        Self::BodyTimeout,
        Self::BodyIncomplete,
        Self::DeadlineExceeded,
        Self::Refused,
        Self::OutcomeUnknown,
    ];

    /// The kind that a problem's URI names, if it names one of ours.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.about().1 == uri)
    }

    /// The HTTP status, the URI and the title. 5xx says "send it again", and nothing else does: Alertmanager repeats
    /// 5xx alone, and drops what is answered 4xx for good.
    const fn about(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::MalformedPayload => (400, uri!("malformed-payload"), "The payload is malformed"),
            Self::UnusableSignals => (400, uri!("unusable-signals"), "No signal of the payload can be used"),
            Self::NotFound => (404, uri!("not-found"), "There is nothing at this path"),
            Self::MethodNotAllowed => (405, uri!("method-not-allowed"), "The method is not allowed"),
            Self::PayloadTooLarge => (413, uri!("payload-too-large"), "The payload is too large"),
            Self::UnsupportedMediaType => (415, uri!("unsupported-media-type"), "The payload is not plain JSON"),
            Self::Internal => (500, uri!("internal"), "A request met a bug"),
            Self::Overloaded => (503, uri!("overloaded"), "A limit is reached"),
            Self::Draining => (503, uri!("draining"), "The replica is shutting down"),
            Self::Unreachable => (503, uri!("unreachable"), "No replica could be asked"),
            Self::BodyTimeout => (503, uri!("body-timeout"), "The payload took too long to arrive"),
            Self::BodyIncomplete => (503, uri!("body-incomplete"), "The payload did not arrive to its end"),
            Self::DeadlineExceeded => (503, uri!("deadline-exceeded"), "The signals were not durably counted in time"),
            Self::Refused => (503, uri!("refused"), "The API server refuses what counting takes"),
            Self::OutcomeUnknown => (503, uri!("outcome-unknown"), "It is not known whether the signals were counted"),
        }
    }
}

/// A problem, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The URI of the kind.
    #[serde(rename = "type")]
    pub uri: &'static str,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, and what to do.
    pub detail: String,
    /// The path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<&'static str>,
    /// What became of each part of the request, where it had several.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub several: Option<Box<MultiStatus>>,
    /// The header Retry-After, in seconds.
    #[serde(skip)]
    pub retry_after_s: Option<u32>,
}

impl Problem {
    /// A problem of `kind`; `detail` says what happened and what to do.
    #[must_use]
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let (status, uri, title) = kind.about();
        Self { uri, title, status, detail: detail.into(), instance: None, several: None, retry_after_s: None }
    }

    /// The same, to be sent again after `seconds`.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}
