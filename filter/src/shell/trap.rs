//! Traps on request, for tests of what Envoy does with a broken filter. Only in builds with `--features trap`: the
//! request header `x-trap` names the place.

use std::arch::wasm32::unreachable;

use super::raw;
use crate::header_map::visit;

/// The header that asks for a trap.
const HEADER: &[u8] = b"x-trap";

/// Traps if the current request asks for it at `place`.
pub(super) fn at(place: &str) {
    let map = raw::request_headers().unwrap_or_default();
    // What cannot be read asks for nothing.
    let _ = visit(&map, |name, value| {
        if name == HEADER && value == place.as_bytes() {
            unreachable();
        }
    });
}
