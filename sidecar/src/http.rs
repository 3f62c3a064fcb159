//! HTTP: what comes in is checked, decoded and grouped by incident; what became of it is answered once.
//!
//! `answer` and `problem` are the contract with senders, pure; `intake` and `admission` keep to the limits; `gateway` is
//! the way of a request through all of them, `settle` its middle; `ops` serves probes and metrics; `server` owns the sockets.

pub mod admission;
pub mod answer;
pub mod gateway;
mod intake;
pub mod ops;
pub mod problem;
mod quote;
mod reply;
pub mod server;
mod settle;
mod work;

pub(crate) use self::settle::GRACE;
