//! The filter: has Envoy consistent-hash each signal on its fingerprint, so that all signals of one incident reach one
//! sidecar replica. That makes a storm cheap; it never makes it correct, which is why everything here fails open: a
//! request that the filter cannot read goes on without a fingerprint, and the sidecar judges it.
//!
//! A request `POST`ed to one of the signal paths is held at its headers until its body is complete. The body is decoded
//! by the code that the sidecar runs too. Where there is work for one incident, `x-onceway-fingerprint` is set for the
//! route's hash policy. Where there is work for several, each incident's owner is sent its share of the body in a request of
//! the filter's own, which the proxy hashes on its `:authority`, the fingerprint; the sender gets one answer, merged by the
//! code that the sidecar answers a whole body with. Only a body that is too large is refused here. All other requests pass
//! untouched, except that no client's `x-onceway-*` header gets through on any of them.
//!
//! The core ([`Request`], over the trait [`Host`]) knows nothing of proxy-wasm and is tested natively; `shell`, compiled
//! for wasm32 alone, translates.
//!
//! # Configuration
//!
//! The plugin's configuration is JSON, see [`Config`]: `{"max_body_bytes": 5242880}`. None at all means the defaults; one
//! that is wrong keeps Envoy from starting, or keeps the running configuration.
//!
//! Three settings around the filter matter to it:
//!
//! * `allow_on_headers_stop_iteration: true` in the plugin; without it every request to a signal path hangs at its headers.
//! * The route's `request_body_buffer_limit` at least 1 MiB above `max_body_bytes`. Envoy looks at its own limit first, and
//!   one read may bring that much; with less, its plain-text 413 comes before the one from here, which says what to do.
//! * `max_stream_duration` more than `split_timeout_ms`: the only end of a request whose VM dies while its parts are out.
//!
//! # Metrics
//!
//! One counter per [`Decision`], `onceway_filter_requests_total.outcome.<outcome>`; each request to a signal path counts in
//! exactly one. Envoy makes the last part a label when its bootstrap has
//! `stats_tags: [{tag_name: outcome, regex: "^wasmcustom\\.onceway_filter_requests_total(\\.outcome\\.(\\w+))$"}]`.

// A trap takes every request in the VM with it.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod affinity;
mod config;
mod decision;
#[cfg(test)]
mod fake;
mod forward;
mod head;
pub mod header_map;
mod host;
mod refusal;
mod reply;
mod request;
#[cfg(target_arch = "wasm32")]
mod shell;
mod split;

pub use affinity::{Affinity, Share, affinity};
pub use config::{Config, ConfigError, DEFAULT_MAX_BODY_BYTES, MAX_BODY_BYTES_CEILING};
pub use decision::Decision;
pub use host::{Host, HostError, Level, Reply, SubRequest};
pub use request::{Action, Request};

/// No header of this prefix is believed from outside: whatever a client sends is dropped.
pub const RESERVED_HEADER_PREFIX: &str = "x-onceway-";
