//! Dies on request. Only in builds for tests of what Envoy does with a filter that broke (`--features trap`): a request
//! chooses by its header `x-trap` where.

use std::arch::wasm32::unreachable;

use super::abi;
use crate::header_map::visit;

/// The header that asks for it.
const HEADER: &[u8] = b"x-trap";

/// Traps if the request in hand asks for it to happen at `place`.
pub(super) fn at(place: &str) {
    let map = abi::request_headers().unwrap_or_default();
    let asked = visit(&map, |name, value| {
        if name == HEADER && value == place.as_bytes() {
            unreachable();
        }
    });
    let _ = asked;
}
