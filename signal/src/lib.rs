//! Payload -> signals -> target -> fingerprint; and the answers that they get.
//!
//! The one piece of code that the filter (wasm, inside Envoy) and the sidecar (native) both run on the same bytes, so
//! that both arrive at the same fingerprint. Pure: no I/O, no clock, no configuration.
//!
//! ```
//! use onceway_signal::{Source, decode};
//!
//! let body = br#"{"alerts":[{"status":"firing","labels":
//!     {"alertname":"PodCrashLooping","namespace":"prod","pod":"payment-api-7d4b8c9f5d-x2k4z"}}]}"#;
//! let payload = decode(Source::Prometheus, body)?;
//! for group in payload.groups() {
//!     // prod:Deployment:payment-api
//!     assert!(group.fingerprint.hex().starts_with("91fce8d5"));
//! }
//! # Ok::<(), onceway_signal::DecodeError>(())
//! ```
//!
//! What is read, and how strictly:
//!
//! * The body is one JSON object in UTF-8. Unknown fields pass, however deep they are nested, and so do their duplicates.
//! * A key that is read here and stands twice is refused, since parsers differ in which of the two they believe.
//! * `null` and the empty string are as if absent (only a label's value must be a string); a value of another type than it
//!   should have is refused, except in annotations, which decide nothing.
//! * One bad alert never spoils the others of its webhook: it becomes a [`Rejection`], they stay signals.
//! * The webhook's `version` is not read. What counts is whether `alerts[].labels` are there; to refuse an unknown version
//!   would lose pages for good, because Alertmanager does not repeat what is answered 4xx.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod alertmanager;
mod error;
mod event;
mod fingerprint;
mod json;
mod labels;
pub mod limits;
pub mod media_type;
mod payload;
pub mod problem;
pub mod response;
mod signal;
mod source;
mod target;

pub use error::{DecodeError, Rejection};
pub use fingerprint::{Fingerprint, FingerprintError, Hex};
pub use labels::Labels;
pub use payload::{Entry, Group, PartialPayload, Payload, decode};
pub use signal::{Signal, State};
pub use source::Source;
pub use target::{Resource, Target};

/// The header in which the filter says what it had the request hashed on: the fingerprint of the body's first firing
/// incident. See [`Group::leading`].
pub const FINGERPRINT_HEADER: &str = "x-onceway-fingerprint";
