//! Payload -> signals -> target -> fingerprint.
//!
//! The one piece of code that the filter (wasm, inside Envoy) and the sidecar (native) both run on the same bytes, so
//! that both arrive at the same fingerprint. Pure: no I/O, no clock, no configuration.
