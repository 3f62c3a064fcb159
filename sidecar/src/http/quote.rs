//! Quotes what a sender said, as far as an answer or a log line can bear it.

use http::HeaderValue;
use onceway_signal::limits::MAX_PROBLEM;

/// `value` in quotes; after [`MAX_PROBLEM`] characters it is cut.
pub(super) fn quote(value: &HeaderValue) -> String {
    let text = String::from_utf8_lossy(value.as_bytes());
    match text.char_indices().nth(MAX_PROBLEM) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::quote;

    #[test]
    fn what_is_quoted_is_cut_between_two_characters_and_escaped() {
        let quoted = |bytes: &[u8]| quote(&HeaderValue::from_bytes(bytes).unwrap());
        assert_eq!(quoted(b"text/plain"), "\"text/plain\"");
        assert_eq!(quoted(b"a\tb\"\xff"), "\"a\\tb\\\"\u{fffd}\"");
        assert_eq!(quoted("é".repeat(200).as_bytes()), format!("\"{}\"", "é".repeat(200)));
        assert_eq!(quoted("é".repeat(9999).as_bytes()), format!("\"{}\"…", "é".repeat(200)));
    }
}
