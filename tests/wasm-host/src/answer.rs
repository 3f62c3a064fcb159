//! What became of a request.

use super::http_call::HttpCall;
use super::proxy::{Headers, LocalResponse, LogLine, OUTCOMES};

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It went upstream, with this body.
    Passed(Vec<u8>),
    /// The filter answered it.
    Answered(LocalResponse),
    /// The client went away while the filter held it.
    Abandoned,
    /// The filter held it beyond its end: a client would wait for ever.
    Hung,
    /// The filter trapped: the VM and all requests in it are gone.
    Trapped(String),
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// How it ended.
    pub end: End,
    /// What the filter logged meanwhile.
    pub log: Vec<LogLine>,
    /// The fuel that all calls for this request took: about one unit per wasm instruction.
    pub fuel: u64,
    /// The filter's own requests for it, in the order in which they were sent.
    pub http_calls: Vec<HttpCall>,
    /// The request's headers as the filter left them.
    pub headers: Headers,
    pub(super) counted: Vec<String>,
}

impl Answer {
    /// Whether it went upstream.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self.end, End::Passed(_))
    }

    /// The body that went upstream, if it went there.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        match &self.end {
            End::Passed(body) => Some(body),
            _ => None,
        }
    }

    /// The filter's own answer, if it gave one.
    #[must_use]
    pub fn local_response(&self) -> Option<&LocalResponse> {
        match &self.end {
            End::Answered(response) => Some(response),
            _ => None,
        }
    }

    /// The values of a request header as the upstream sees them.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<String> {
        let headers = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
        headers.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The fingerprint that the request went upstream with.
    ///
    /// # Panics
    /// If there are several: the proxy would hash on what nobody meant.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        let mut values = self.header("x-onceway-fingerprint");
        assert!(values.len() <= 1, "several fingerprints: {values:?}");
        values.pop().filter(|_| self.passed())
    }

    /// The outcomes that were counted for the request, by their last name; exactly one for a request to a signal path.
    #[must_use]
    pub fn outcomes(&self) -> Vec<&str> {
        self.counted.iter().map(|name| name.strip_prefix(OUTCOMES).unwrap_or(name)).collect()
    }
}
