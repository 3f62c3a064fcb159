//! HTTP: checks, decodes and groups requests by incident, and sends one response for each.
//!
//! The contract with senders, [`onceway_signal::response`], is shared with the filter. `intake` and `admission` enforce the
//! limits, `request_context` and `request_time` read what headers say of a request, `policy` decides which usable signals are
//! rejected, `authorize` refuses senders, `gateway` holds the routes of the signal port, `commit_body` takes a body to its
//! response, `tally` counts what became of its signals, `ops` serves probes and metrics (in the formats of `exposition`), `server` owns the sockets, `security` adds headers
//! to every response.

pub mod admission;
mod authorize;
mod classify;
mod commit_body;
mod exposition;
pub mod gateway;
mod intake;
pub mod ops;
mod parts;
pub mod policy;
pub mod request_context;
mod request_time;
mod response;
mod scopes;
mod security;
pub mod server;
mod tally;

/// The path of requests to unknown paths, in metrics and in the log.
const OTHER_PATH: &str = "other";
/// The method of a request with an unusual one, in metrics.
const OTHER_METHOD: &str = "other";
