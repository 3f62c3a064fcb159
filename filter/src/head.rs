//! What decides about a request at its headers, read in one pass: one host call for all headers is cheaper than one per
//! header, and spoofed names can be found in no other way.

use std::str::from_utf8;

use onceway_signal::Source;

use crate::{RESERVED_HEADER_PREFIX, header_map};

/// What is read of a request's headers. Values are bytes, since clients send values that are not UTF-8.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The source, if this is a `POST` to a signal path.
    pub(crate) source: Option<Source>,
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
            head.source = source(path);
        }
        Some(head)
    }
}

/// The source with this path, compared as the sidecar's router compares: exactly, without query and fragment.
fn source(path: &[u8]) -> Option<Source> {
    let path = path.split(|byte| matches!(byte, b'?' | b'#')).next()?;
    Source::from_path(from_utf8(path).ok()?)
}

fn is_reserved(name: &[u8]) -> bool {
    name.get(..RESERVED_HEADER_PREFIX.len())
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED_HEADER_PREFIX.as_bytes()))
}

#[cfg(test)]
mod tests;
