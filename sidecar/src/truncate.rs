//! Truncation of foreign text, for responses, log lines and stored specs. It never splits a character.

use onceway_signal::limits::MAX_PROBLEM;

/// `text` escaped and in quotes; only its first [`MAX_PROBLEM`] characters.
pub(crate) fn truncate_quoted(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let start = truncate_chars(&text, MAX_PROBLEM);
    let ellipsis = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{ellipsis}")
}

/// The first `max` characters of `text`.
pub(crate) fn truncate_chars(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

/// As many whole characters of `text` as fit into `max` bytes.
pub(crate) fn truncate_bytes(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

#[cfg(test)]
mod tests {
    use super::{truncate_bytes, truncate_quoted};

    #[test]
    fn quoted_text_is_escaped_and_truncated_between_two_characters() {
        assert_eq!(truncate_quoted(b"text/plain"), "\"text/plain\"");
        assert_eq!(truncate_quoted(b"a\tb\"\xff"), "\"a\\tb\\\"\u{fffd}\"");
        assert_eq!(truncate_quoted("é".repeat(200).as_bytes()), format!("\"{}\"", "é".repeat(200)));
        assert_eq!(truncate_quoted("é".repeat(9999).as_bytes()), format!("\"{}\"…", "é".repeat(200)));
    }

    #[test]
    fn bytes_are_truncated_between_two_characters() {
        assert_eq!((truncate_bytes("éa", 1), truncate_bytes("éa", 2), truncate_bytes("éa", 9)), ("", "é", "éa"));
    }
}
