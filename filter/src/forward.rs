//! What a sub-request takes over from the request that it is a part of: an allow list, for a sub-request inherits nothing.

use onceway_signal::media_type::{is_json, is_plain};
use onceway_signal::{FINGERPRINT_HEADER, Fingerprint};

use crate::header_map::{serialize, visit};

/// Headers that go along with every part: where to, what it is, who sends it, and what it is traced by.
const ALLOWED: [&[u8]; 7] =
    [b":path", b":scheme", b"content-type", b"authorization", b"x-request-id", b"traceparent", b"tracestate"];

/// The headers that each part of a request carries.
#[derive(Debug, Default)]
pub(crate) struct Forward {
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    is_json: bool,
    is_plain: bool,
}

impl Forward {
    /// Reads a serialised header map; `None` where `map` is none.
    pub(crate) fn parse(map: &[u8]) -> Option<Forward> {
        let mut forward = Forward { is_plain: true, ..Forward::default() };
        visit(map, |name, value| {
            match name {
                b"content-type" => forward.is_json = is_json(value),
                b"content-encoding" => forward.is_plain = is_plain(value),
                _ => {}
            }
            if ALLOWED.contains(&name) {
                forward.headers.push((name.to_vec(), value.to_vec()));
            }
        })?;
        Some(forward)
    }

    /// Whether the sidecar would look at the body at all. It says itself what is wrong, and need say it only once.
    pub(crate) fn is_plain_json(&self) -> bool {
        self.is_json && self.is_plain
    }

    /// The headers of the part of `fingerprint`, serialised. The proxy hashes a plugin's own requests on their authority.
    pub(crate) fn headers_for(&self, fingerprint: Fingerprint) -> Vec<u8> {
        let hex = fingerprint.hex();
        let mut headers: Vec<(&[u8], &[u8])> = Vec::with_capacity(self.headers.len() + 3);
        headers.push((b":method", b"POST"));
        headers.push((b":authority", hex.as_bytes()));
        headers.push((FINGERPRINT_HEADER.as_bytes(), hex.as_bytes()));
        headers.extend(self.headers.iter().map(|(name, value)| (&name[..], &value[..])));
        serialize(&headers)
    }
}

#[cfg(test)]
mod tests;
