//! Truncates text that a sender or an upstream controls, for responses, log lines and stored fields.

use crate::limits::MAX_PROBLEM;

/// The first `max` characters of `text`; `None` if it has no more than that.
#[must_use]
pub fn truncated(text: &str, max: usize) -> Option<&str> {
    // A character has at least one byte, so a short text needs no count.
    if text.len() <= max {
        return None;
    }
    let (end, _) = text.char_indices().nth(max)?;
    text.get(..end)
}

/// The first `max` characters of `text`, or all of it.
#[must_use]
pub fn truncate_chars(text: &str, max: usize) -> &str {
    truncated(text, max).unwrap_or(text)
}

/// As many whole characters of `text` as fit into `max` bytes.
#[must_use]
pub fn truncate_bytes(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// `bytes` as an escaped text in quotes. Beyond [`MAX_PROBLEM`] characters it is cut, which an ellipsis after the
/// quotes shows.
#[must_use]
pub fn truncate_quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match truncated(&text, MAX_PROBLEM) {
        Some(start) => format!("{start:?}…"),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{truncate_bytes, truncate_chars, truncate_quoted, truncated};

    #[test]
    fn text_is_cut_between_two_characters_and_only_beyond_the_limit() {
        assert_eq!(truncated("éé", 2), None);
        assert_eq!(truncated("ééé", 2), Some("éé"));
        assert_eq!(truncated("x", 0), Some(""));
        assert_eq!(truncated("", 0), None);
    }

    #[test]
    fn characters_and_bytes_are_limits_that_shorter_text_does_not_reach() {
        assert_eq!((truncate_chars("éa", 1), truncate_chars("éa", 2)), ("é", "éa"));
        assert_eq!((truncate_bytes("éa", 1), truncate_bytes("éa", 2), truncate_bytes("éa", 9)), ("", "é", "éa"));
    }

    #[test]
    fn quoted_text_is_escaped_and_cut_between_two_characters() {
        assert_eq!(truncate_quoted(b"text/plain"), "\"text/plain\"");
        assert_eq!(truncate_quoted(b"a\tb\"\xff"), "\"a\\tb\\\"\u{fffd}\"");
        assert_eq!(truncate_quoted("é".repeat(200).as_bytes()), format!("\"{}\"", "é".repeat(200)));
        assert_eq!(truncate_quoted("é".repeat(9999).as_bytes()), format!("\"{}\"…", "é".repeat(200)));
    }
}
