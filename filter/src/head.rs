//! What decides about a request at its headers, read in one pass: one host call for all headers is cheaper than one per
//! header, and spoofed names can be found in no other way.

use std::str::from_utf8;

use onceway_signal::{DecodeError, Origin, Source};

use crate::{RESERVED_HEADER_PREFIX, header_map};

/// What is read of a request's headers. Values are bytes, since clients send values that are not UTF-8.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The origin, if this is a `POST` to a signal path; an error if its query cannot be used.
    pub(crate) origin: Option<Result<Origin, DecodeError>>,
    /// `content-length`, if it is a number.
    pub(crate) content_length: Option<u64>,
    /// The reserved headers that the client sent.
    pub(crate) spoofed: Vec<&'a [u8]>,
}

impl<'a> Head<'a> {
    /// Reads a serialised header map; `None` if it is malformed.
    pub(crate) fn parse(map: &'a [u8]) -> Option<Head<'a>> {
        let mut head = Head::default();
        let mut method: &[u8] = b"";
        let mut path: &[u8] = b"";
        header_map::visit(map, |name, value| match name {
            b":method" => method = value,
            b":path" => path = value,
            b"content-length" => head.content_length = from_utf8(value).ok().and_then(|length| length.parse().ok()),
            _ if is_reserved(name) => head.spoofed.push(name),
            _ => {}
        })?;
        if method == b"POST" {
            head.origin = origin(path);
        }
        Some(head)
    }
}

/// The origin with this path, compared as the sidecar's router compares: exactly, without query and fragment.
fn origin(path: &[u8]) -> Option<Result<Origin, DecodeError>> {
    let path = path.split(|byte| *byte == b'#').next()?;
    let mut parts = path.splitn(2, |byte| *byte == b'?');
    let source = Source::from_path(from_utf8(parts.next()?).ok()?)?;
    // A cluster's name with U+FFFD in it is an error.
    let query = parts.next().map(String::from_utf8_lossy);
    Some(Origin::new(source, query.as_deref()))
}

fn is_reserved(name: &[u8]) -> bool {
    name.get(..RESERVED_HEADER_PREFIX.len())
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED_HEADER_PREFIX.as_bytes()))
}

#[cfg(test)]
mod tests;
