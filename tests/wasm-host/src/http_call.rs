//! The filter's own requests, and what a test replies to them.

use super::abi::deserialize;
use super::proxy::Headers;

/// A request of the filter's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCall {
    /// What its reply will be known by.
    pub token: u32,
    /// The cluster that it goes to.
    pub cluster: String,
    /// Its headers, pseudo-headers included.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// How long the filter waits, in milliseconds.
    pub timeout_ms: u32,
}

impl HttpCall {
    /// A request whose headers are serialised; `None` if they are not, or no text.
    #[must_use]
    pub fn new(token: u32, cluster: &str, headers: &[u8], body: &[u8], timeout_ms: u32) -> Option<HttpCall> {
        let headers = deserialize(headers).ok()?;
        Some(HttpCall { token, cluster: cluster.to_owned(), headers, body: body.to_vec(), timeout_ms })
    }

    /// Whether it has what a proxy sends nothing without.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        [":method", ":path", ":authority"].iter().all(|name| self.header(name).len() == 1)
    }

    /// The values of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// What it is hashed on.
    ///
    /// # Panics
    /// If it has no authority, or several: the proxy would not send it.
    #[must_use]
    pub fn authority(&self) -> &str {
        let authority = self.header(":authority");
        assert_eq!(authority.len(), 1, "{:?}", self.headers);
        authority[0]
    }
}

/// What comes back for a request of the filter's own.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Names and values; empty where the stream was reset.
    pub headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply with this status and body.
    #[must_use]
    pub fn new(status: u16, body: impl AsRef<[u8]>) -> Reply {
        Reply { headers: Headers::new(), body: body.as_ref().to_vec() }.header(":status", status.to_string())
    }

    /// The connection broke off: no headers, no body.
    #[must_use]
    pub fn reset() -> Reply {
        Reply::default()
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Reply {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }
}

/// Chooses the next of the calls in flight to be replied to, and the reply.
pub(super) type Replying = Box<dyn FnMut(&[HttpCall]) -> (usize, Reply)>;
