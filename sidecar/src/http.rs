//! HTTP: what comes in is checked, decoded and grouped by incident; what became of it is answered once.
//!
//! The contract with senders, [`onceway_signal::response`], is shared with the filter. Here `intake` and `admission` keep to
//! the limits; `gateway` is the way of a request through all of them, `settle` its middle; `ops` serves probes and metrics;
//! `server` owns the sockets.

pub mod admission;
pub mod gateway;
mod intake;
pub mod ops;
mod quote;
mod reply;
pub mod server;
mod settle;
mod work;

pub(crate) use self::settle::GRACE;
