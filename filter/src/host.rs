//! What the core needs of the proxy around it.

use onceway_signal::response::SignalResponse;
use thiserror::Error;

use crate::Decision;

/// The proxy, as a request sees it.
pub trait Host {
    /// All request headers, pseudo-headers included, as proxy-wasm's ABI 0.2.1 serialises them.
    ///
    /// # Errors
    ///
    /// The proxy could not hand them out.
    fn request_headers(&self) -> Result<Vec<u8>, HostError>;

    /// Removes every value of a request header.
    ///
    /// # Errors
    ///
    /// The proxy could not; the header may still be there.
    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError>;

    /// Sets a request header to one value.
    ///
    /// # Errors
    ///
    /// The proxy could not, for example because the headers have gone upstream already.
    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError>;

    /// The body received so far, its first `limit` bytes at most; empty where there is none.
    ///
    /// # Errors
    ///
    /// The proxy could not hand it out.
    fn request_body(&self, limit: u32) -> Result<Vec<u8>, HostError>;

    /// Answers the request without sending it upstream; `details` are for the access log (`%RESPONSE_CODE_DETAILS%`).
    ///
    /// # Errors
    ///
    /// The proxy could not; the request is still there.
    fn answer(&self, answer: &SignalResponse, details: &'static str) -> Result<(), HostError>;

    /// Lets a request that was held go upstream.
    ///
    /// # Errors
    ///
    /// The proxy could not; the request is still there.
    fn resume(&self) -> Result<(), HostError>;

    /// Sends a request of the filter's own, and returns the token that its reply will come with. There is a reply in any
    /// case, at the latest when the time is up.
    ///
    /// # Errors
    ///
    /// The proxy did not send it: the cluster is not known, has no host, or has as many requests as it may have.
    fn dispatch(&self, request: &SubRequest<'_>) -> Result<u32, HostError>;

    /// The headers of the reply that has just come, as the ABI serialises them.
    ///
    /// # Errors
    ///
    /// The proxy could not hand them out.
    fn reply_headers(&self) -> Result<Vec<u8>, HostError>;

    /// The body of the reply that has just come, its first `limit` bytes at most.
    ///
    /// # Errors
    ///
    /// The proxy could not hand it out.
    fn reply_body(&self, limit: u32) -> Result<Vec<u8>, HostError>;

    /// A clock in milliseconds that never goes back.
    ///
    /// # Errors
    ///
    /// The proxy has none.
    fn now_ms(&self) -> Result<u64, HostError>;

    /// Counts what became of the request. A count that fails is lost: no request fails for it.
    fn count(&self, outcome: Decision);

    /// Writes to the proxy's log.
    fn log(&self, level: Level, message: &str);
}

/// A request of the filter's own.
#[derive(Debug)]
pub struct SubRequest<'a> {
    /// The cluster that it goes to.
    pub cluster: &'a str,
    /// Its headers, pseudo-headers included, serialised.
    pub headers: &'a [u8],
    /// Its body.
    pub body: &'a [u8],
    /// How long to wait for the reply, in milliseconds; at least 1.
    pub timeout_ms: u32,
}

/// What came back for a request of the filter's own.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// The request's token.
    pub token: u32,
    /// How many headers there are; none where the request broke off.
    pub headers: usize,
    /// The size of the body, in bytes.
    pub body_bytes: usize,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For somebody who looks into one request.
    Debug,
    /// Something works less well than it should.
    Warn,
    /// Somebody has to do something.
    Error,
    /// The filter itself is broken.
    Critical,
}

/// A call into the proxy failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostError {
    /// The proxy answered with a status other than OK.
    #[error("{call} failed with proxy-wasm status {status}")]
    Status {
        /// The function of the ABI.
        call: &'static str,
        /// The status, as the ABI numbers them.
        status: u32,
    },
    /// The proxy answered with something that is not in the ABI's format.
    #[error("{call} returned data that is not in proxy-wasm's format")]
    Malformed {
        /// The function of the ABI.
        call: &'static str,
    },
}
