//! Sub-requests of the filter, and what a test responds to them.

use super::abi::deserialize;
use super::proxy::Headers;

/// A sub-request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubRequest {
    /// The token of its response.
    pub token: u32,
    /// The cluster that it is sent to.
    pub cluster: String,
    /// Headers, pseudo-headers included.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Timeout in milliseconds.
    pub timeout_ms: u32,
}

impl SubRequest {
    /// A sub-request with a serialised header map; `None` if the map is malformed or not UTF-8.
    #[must_use]
    pub fn new(token: u32, cluster: &str, headers: &[u8], body: &[u8], timeout_ms: u32) -> Option<SubRequest> {
        let headers = deserialize(headers).ok()?;
        Some(SubRequest { token, cluster: cluster.to_owned(), headers, body: body.to_vec(), timeout_ms })
    }

    /// Whether it has the pseudo-headers without which Envoy sends nothing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        [":method", ":path", ":authority"].iter().all(|name| self.header(name).len() == 1)
    }

    /// The values of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The `:authority`, on which Envoy hashes a sub-request.
    ///
    /// # Panics
    /// If there is not exactly one: Envoy would not send it.
    #[must_use]
    pub fn authority(&self) -> &str {
        let authority = self.header(":authority");
        assert_eq!(authority.len(), 1, "{:?}", self.headers);
        authority[0]
    }
}

/// The response to a sub-request.
#[derive(Clone, Debug, Default)]
pub struct SubResponse {
    /// Names and values; empty if the stream was reset.
    pub headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
}

impl SubResponse {
    /// A response with this status and body.
    #[must_use]
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> SubResponse {
        SubResponse { headers: Headers::new(), body: body.as_ref().to_vec() }.header(":status", status.to_string())
    }

    /// A reset connection: no headers, no body.
    #[must_use]
    pub fn reset() -> SubResponse {
        SubResponse::default()
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> SubResponse {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }
}

/// Chooses, by index, the sub-request in flight that gets its response next, and the response.
pub(super) type Responder = Box<dyn FnMut(&[SubRequest]) -> (usize, SubResponse)>;
