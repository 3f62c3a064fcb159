//! The filter's core as a native extension of Envoy, a dynamic module: the lower limit for the cost of an extension of Envoy
//! that does this work. `cargo xtask bench filter` runs it beside the filter. It never ships: a crash in it is a crash of Envoy
//! (ADR 0007).
//!
//! It is the same state machine ([`onceway_filter::Request`]) as in the filter, over another [`Host`](onceway_filter::Host). It
//! does all that the filter does for a body that is not split: it drops reserved headers, buffers the body within the budget,
//! decodes it, sets the headers, has the route selected again, and counts the decision. It cannot send sub-requests, so a
//! body of several incidents passes through whole.
//!
//! No SDK for Envoy's ABI is published, so the module `abi` declares what is needed of it. Envoy's ABI is that of its version, 1.40.

#![allow(unsafe_code, reason = "a C ABI in both directions: foreign functions, and pointers that Envoy passes")]

mod abi;
mod hooks;
mod host;
mod plugin;
mod stream;
