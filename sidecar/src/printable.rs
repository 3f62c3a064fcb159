//! Texts of others on a terminal.

/// A text of a sender or of a cluster without control characters, which a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_terminal_gets_no_control_characters() {
        assert_eq!(printable("a\u{1b}[2Jb\n\u{9b}c é"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c é");
    }
}
