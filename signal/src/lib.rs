//! Payload -> signals -> target -> fingerprint, and the responses to them.
//!
//! The filter (wasm, inside Envoy) and the sidecar (native) run this code on the same bytes, so both compute the same
//! fingerprint. Pure: no I/O, no clock. The target rules are the only configuration.
//!
//! ```
//! use onceway_signal::rules::Rules;
//! use onceway_signal::{Origin, Source, decode};
//!
//! let body = br#"{"alerts":[{"status":"firing","labels":
//!     {"alertname":"PodCrashLooping","namespace":"prod","pod":"payment-api-7d4b8c9f5d-x2k4z"}}]}"#;
//! let payload = decode(Rules::built_in(), Origin::of(Source::Prometheus), body)?;
//! for group in payload.groups() {
//!     // prod:Deployment:payment-api
//!     assert!(group.fingerprint.hex().starts_with("91fce8d5"));
//! }
//! # Ok::<(), onceway_signal::DecodeError>(())
//! ```
//!
//! Decoding rules:
//!
//! * The body is one JSON object in UTF-8. Unknown fields are ignored at any nesting depth, duplicates included.
//! * A duplicate of a key that is read is rejected, since parsers differ in which of the two they use.
//! * `null` and the empty string count as absent (only a label's value must be a string). A value of the wrong type is
//!   rejected, except in annotations, which do not affect the fingerprint.
//! * A bad alert does not affect the others of its webhook: it becomes a [`Rejection`], they stay signals.
//! * An alert without a label `cluster` is in the cluster that `commonLabels.cluster` names, else in that of the path's query.
//! * The webhook's `version` is not read: `alerts[].labels` is what matters. Rejecting an unknown version would lose
//!   alerts permanently, because Alertmanager does not retry after 4xx.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod alertmanager;
mod digest;
mod entry;
mod error;
mod event;
mod fingerprint;
mod json;
mod labels;
mod layout;
pub mod limits;
pub mod media_type;
mod outcome;
mod payload;
pub mod problem;
mod problem_kind;
pub mod response;
pub mod retry_after;
pub mod rules;
pub mod security_headers;
mod signal;
mod source;
mod target;
pub mod truncate;

pub use digest::{Digest, DigestError, Hex};
pub use entry::Entry;
pub use error::{DecodeError, Rejection};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use labels::Labels;
pub use payload::{Group, PartialPayload, Payload, decode};
pub use signal::{Signal, State};
pub use source::{Origin, Source};
pub use target::{Resource, Target};

/// The header with the [hash](rules::Rules::hash) of the filter's target rules, by which the sidecar tells why a fingerprint
/// differs from its own.
pub const TARGETS_HEADER: &str = "x-onceway-targets";

/// The header with the id of a webhook that the filter has split: the same for all its parts, and for the parts of its retry. A
/// replica counts a part of a webhook once.
pub const WEBHOOK_HEADER: &str = "x-onceway-webhook";

/// The header with the milliseconds that the filter waits for a response: what cannot be counted by then is not begun.
pub const TIME_LEFT_HEADER: &str = "x-onceway-time-left-ms";

/// The header with the fingerprint that the filter has Envoy hash the request on: that of the body's first firing
/// incident. See [`Group::leading`].
pub const FINGERPRINT_HEADER: &str = "x-onceway-fingerprint";
