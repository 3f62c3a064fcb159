//! The Envoy filter: sets on each signal request the header on which Envoy consistent-hashes, so that all signals of an
//! incident reach the same sidecar replica.
//!
//! This affinity makes a storm cheap; correctness does not depend on it. So the filter fails open: a request that it
//! cannot handle passes through without a fingerprint, and the sidecar validates it.
//!
//! A `POST` to a signal path is paused at its headers until its body is complete. The filter decodes the body with the
//! same code as the sidecar, and decides:
//!
//! | firing incidents | what happens |
//! |---|---|
//! | one | `x-onceway-fingerprint` is set for the route's hash policy |
//! | several | the body is split: each incident's owner gets its partition in a sub-request, which Envoy hashes on `:authority`, the fingerprint; the sender gets one merged response |
//! | none, or not decodable | the request passes through |
//!
//! The filter itself rejects only bodies that exceed a limit (413), for which the memory that all bodies share has no
//! room (`budget`, 503), or whose parts the replicas would not count in time (`splits`, 503). Other requests pass through unchanged, except that
//! `x-onceway-*` headers from clients are dropped on every path.
//!
//! The core ([`Request`], over the trait [`Host`]) is independent of proxy-wasm and tested natively. `shell` connects it
//! to proxy-wasm and compiles for wasm32 only.
//!
//! # Configuration
//!
//! The plugin configuration is JSON, see [`Config`]: `{"max_body_bytes": 5242880}`. An empty one means the defaults. With
//! an invalid one Envoy does not start, or keeps the running configuration.
//!
//! Three Envoy settings matter to the filter:
//!
//! * `allow_on_headers_stop_iteration: true` in the plugin. Without it every request to a signal path hangs at its headers.
//! * The route's `request_body_buffer_limit`: at least 1 MiB above `max_body_bytes`. Envoy checks its own limit first, after
//!   reads of up to 1 MiB; its plain-text 413 would come instead of the filter's, which says what to do.
//! * `max_stream_duration`: more than `split_timeout_ms`. Nothing else ends a request whose VM dies while its sub-requests
//!   are in flight.
//!
//! # Metrics
//!
//! One counter per [`Decision`], `onceway_filter_requests_total.outcome.<outcome>`. Each request to a signal path
//! increments exactly one. Envoy turns the last part into a label if its bootstrap has
//! `stats_tags: [{tag_name: outcome, regex: "^wasmcustom\\.onceway_filter_requests_total(\\.outcome\\.(\\w+))$"}]`.

// A panic is a trap, which ends every request in the VM.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod affinity;
mod budget;
mod config;
mod decision;
#[cfg(test)]
mod fake_host;
mod forward;
mod head;
pub mod header_map;
mod host;
mod rejection;
mod request;
mod retries;
#[cfg(target_arch = "wasm32")]
mod shell;
mod split;
mod splits;
mod sub_response;

pub use affinity::{Affinity, Partition, affinity};
pub use budget::SMALL_BODY_BYTES;
pub use config::{Config, ConfigError, DEFAULT_MAX_BODY_BYTES, MAX_BODY_BYTES_CEILING};
pub use decision::Decision;
pub use host::{Host, HostError, Level, SharedValue, SubRequest, SubResponse};
pub use request::{Action, Request, Shared};

/// Prefix of the headers that only the filter may set; those that a client sends are dropped.
pub const RESERVED_HEADER_PREFIX: &str = "x-onceway-";
