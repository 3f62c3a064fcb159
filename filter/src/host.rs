//! What the core needs of the proxy around it.

use thiserror::Error;

use crate::{Outcome, Problem};

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

    /// Answers the request without sending it upstream.
    ///
    /// # Errors
    ///
    /// The proxy could not; the request is still there.
    fn refuse(&self, problem: &Problem) -> Result<(), HostError>;

    /// Counts what became of the request. A count that fails is lost: no request fails for it.
    fn count(&self, outcome: Outcome);

    /// Writes to the proxy's log.
    fn log(&self, level: Level, message: &str);
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
