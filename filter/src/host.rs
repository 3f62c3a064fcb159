//! What the core needs of the proxy.

use std::num::NonZeroU32;

use onceway_signal::response::SignalResponse;
use thiserror::Error;

use crate::Decision;

/// The proxy, as one request sees it.
pub trait Host {
    /// All request headers, pseudo-headers included, as proxy-wasm's ABI 0.2.1 serialises them.
    ///
    /// # Errors
    ///
    /// The host call failed.
    fn request_headers(&self) -> Result<Vec<u8>, HostError>;

    /// Removes every value of a request header.
    ///
    /// # Errors
    ///
    /// The host call failed; the header may still be there.
    fn remove_request_header(&self, name: &[u8]) -> Result<(), HostError>;

    /// Sets a request header to one value.
    ///
    /// # Errors
    ///
    /// The host call failed, for example because the headers are already upstream.
    fn set_request_header(&self, name: &str, value: &str) -> Result<(), HostError>;

    /// The first `limit` bytes of the request body buffered so far; empty if there are none.
    ///
    /// # Errors
    ///
    /// The host call failed.
    fn request_body(&self, limit: u32) -> Result<Vec<u8>, HostError>;

    /// The name of the cluster that the request's route has selected. `None` if the proxy does not know it. Not every proxy
    /// names its clusters in UTF-8.
    ///
    /// # Errors
    ///
    /// The host call failed.
    fn route_cluster(&self) -> Result<Option<Vec<u8>>, HostError>;

    /// Responds to the request without sending it upstream; `details` are for the access log
    /// (`%RESPONSE_CODE_DETAILS%`).
    ///
    /// # Errors
    ///
    /// The host call failed; the request is still paused.
    fn respond(&self, response: &SignalResponse, details: &'static str) -> Result<(), HostError>;

    /// Lets a paused request continue upstream.
    ///
    /// # Errors
    ///
    /// The host call failed; the request is still paused.
    fn resume(&self) -> Result<(), HostError>;

    /// Sends a sub-request and returns the token of its sub-response. A sub-response always follows, by the timeout at
    /// the latest.
    ///
    /// # Errors
    ///
    /// The proxy did not send it: the cluster is unknown, has no host, or its circuit breaker is open.
    fn dispatch(&self, request: SubRequest<'_>) -> Result<u32, HostError>;

    /// The headers of the sub-response being handled, serialised.
    ///
    /// # Errors
    ///
    /// The host call failed.
    fn sub_response_headers(&self) -> Result<Vec<u8>, HostError>;

    /// The first `limit` bytes of the body of the sub-response being handled.
    ///
    /// # Errors
    ///
    /// The host call failed.
    fn sub_response_body(&self, limit: u32) -> Result<Vec<u8>, HostError>;

    /// Milliseconds of a monotonic clock.
    ///
    /// # Errors
    ///
    /// The proxy has no such clock.
    fn now_ms(&self) -> Result<u64, HostError>;

    /// What the proxy keeps under `key` for all its workers; `None` if nothing was ever set there.
    ///
    /// # Errors
    ///
    /// The host call failed.
    fn shared(&self, key: &str) -> Result<Option<SharedValue>, HostError>;

    /// Sets what the proxy keeps under `key`; with a `version`, only if it is of that version still. Returns whether it was set.
    ///
    /// # Errors
    ///
    /// The host call failed; nothing was set.
    fn set_shared(&self, key: &str, bytes: &[u8], version: Option<NonZeroU32>) -> Result<bool, HostError>;

    /// Counts the decision. A failure is ignored: no request fails for a lost count.
    fn count(&self, decision: Decision);

    /// Writes to the proxy's log.
    fn log(&self, level: Level, message: &str);
}

/// What a proxy keeps for all its workers under one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedValue {
    /// The value.
    pub bytes: Vec<u8>,
    /// Another one after each write; `None` if the proxy has none.
    pub version: Option<NonZeroU32>,
}

/// A request that the filter sends itself.
#[derive(Debug)]
pub struct SubRequest<'a> {
    /// The cluster to send it to.
    pub cluster: &'a str,
    /// Headers, pseudo-headers included.
    pub headers: Vec<(&'a str, &'a str)>,
    /// Body.
    pub body: &'a [u8],
    /// Time until the response must be complete, in milliseconds; at least 1.
    pub timeout_ms: u32,
}

/// Announces the response to a sub-request.
#[derive(Clone, Copy, Debug)]
pub struct SubResponse {
    /// The sub-request's token.
    pub token: u32,
    /// Number of headers; 0 if the sub-request was reset.
    pub headers: usize,
    /// Size of the body in bytes.
    pub body_bytes: usize,
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Detail about a single request.
    Debug,
    /// Degraded: affinity is lost, no signal is.
    Warn,
    /// An operator has to act.
    Error,
}

/// A host call failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HostError {
    /// The proxy returned a status other than OK.
    #[error("{call} failed with proxy-wasm status {status}")]
    Status {
        /// The ABI function.
        call: &'static str,
        /// The ABI status.
        status: u32,
    },
    /// The proxy returned data that is not in the ABI's format.
    #[error("{call} returned data that is not in proxy-wasm's format")]
    Malformed {
        /// The ABI function.
        call: &'static str,
    },
}
