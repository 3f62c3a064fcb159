//! A request's headers, read in one pass.
//!
//! One call for all headers is cheaper than one for each that is needed, and finding every spoofed name needs all of them
//! anyway. Values are bytes: a client may send what is no UTF-8.

use std::str::from_utf8;

use onceway_signal::Source;

use crate::{RESERVED_HEADER_PREFIX, header_map};

/// What the filter has to know of a request's headers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The signal path that it is `POST`ed to, if it is.
    pub(crate) source: Option<Source>,
    /// `content-length`, where there is one.
    pub(crate) content_length: Option<u64>,
    /// The names of headers that no client may send.
    pub(crate) spoofed: Vec<&'a [u8]>,
}

impl<'a> Head<'a> {
    /// Reads a header map as proxy-wasm's ABI 0.2.1 serialises it; `None` where `map` is none.
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

/// The source whose path this is. As the sidecar's router has it: exactly, apart from query and fragment. A path that is
/// spelled in any other way is not found there, so that there is nothing to hash here.
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
