//! What happened to a request.

use super::http_call::SubRequest;
use super::proxy::{DECISION_METRIC_PREFIX, Headers, LocalResponse, LogLine};

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It went upstream, with this body.
    Passed(Vec<u8>),
    /// The filter responded itself.
    Responded(LocalResponse),
    /// The client disconnected while the filter paused it.
    Abandoned,
    /// The filter still pauses it after its end: a client would wait for the stream's timeout.
    Hung,
    /// The filter trapped: the VM and all its requests are gone.
    Trapped(String),
}

/// What happened to a request.
#[derive(Clone, Debug)]
pub struct RequestResult {
    /// How it ended.
    pub end: End,
    /// What the filter logged meanwhile.
    pub log: Vec<LogLine>,
    /// Fuel of all calls for this request: about one unit per wasm instruction.
    pub fuel: u64,
    /// The calls that left the VM for it: host functions, in order.
    pub host_calls: Vec<String>,
    /// The calls that entered the VM for it: exports, in order.
    pub entries: Vec<String>,
    /// Its sub-requests, in the order in which they were sent.
    pub sub_requests: Vec<SubRequest>,
    /// The request's headers as the filter left them.
    pub headers: Headers,
    pub(super) counted: Vec<String>,
}

impl RequestResult {
    /// Whether it went upstream.
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self.end, End::Passed(_))
    }

    /// The body that went upstream, if any did.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        match &self.end {
            End::Passed(body) => Some(body),
            _ => None,
        }
    }

    /// The filter's own response, if it sent one.
    #[must_use]
    pub fn local_response(&self) -> Option<&LocalResponse> {
        match &self.end {
            End::Responded(response) => Some(response),
            _ => None,
        }
    }

    /// The values of a request header as the upstream sees them.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<String> {
        let headers = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()));
        headers.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The fingerprint with which the request went upstream.
    ///
    /// # Panics
    /// If there are several: it would be undefined which one Envoy hashes.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        let mut values = self.header("x-onceway-fingerprint");
        assert!(values.len() <= 1, "several fingerprints: {values:?}");
        values.pop().filter(|_| self.passed())
    }

    /// The decisions counted for the request, as the metric's last component; exactly one for a request to a signal path.
    #[must_use]
    pub fn decisions(&self) -> Vec<&str> {
        self.counted.iter().map(|name| name.strip_prefix(DECISION_METRIC_PREFIX).unwrap_or(name)).collect()
    }
}
