//! What a label's value is compared with: a text, or a text with `*` at either end. There are no regular expressions, so
//! that a comparison is linear in the value whatever the configuration.

/// A text that a value equals, begins with, ends with, or contains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Pattern {
    /// `text`
    Exact(Box<str>),
    /// `text*`
    Prefix(Box<str>),
    /// `*text`
    Suffix(Box<str>),
    /// `*text*`; of `*` alone the text is empty, and every value matches.
    Contains(Box<str>),
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("is empty; a label without a value counts as absent");
        }
        let (open_start, rest) = text.strip_prefix('*').map_or((false, text), |rest| (true, rest));
        let (open_end, middle) = rest.strip_suffix('*').map_or((false, rest), |middle| (true, middle));
        if middle.contains('*') {
            return Err("has a `*` inside; write it at either end only");
        }
        Ok(match (open_start, open_end) {
            _ if middle.is_empty() => Self::Contains("".into()),
            (false, false) => Self::Exact(middle.into()),
            (false, true) => Self::Prefix(middle.into()),
            (true, false) => Self::Suffix(middle.into()),
            (true, true) => Self::Contains(middle.into()),
        })
    }

    /// Whether `value` matches.
    pub(super) fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => **text == *value,
            Self::Prefix(text) => value.starts_with(&**text),
            Self::Suffix(text) => value.ends_with(&**text),
            Self::Contains(text) => value.contains(&**text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_star_at_either_end_stands_for_any_text() {
        for (pattern, matching, other) in [
            ("a-b", "a-b", "a-bc"),
            ("a*", "a", "ba"),
            ("*-exporter", "x-exporter", "x-exporter-2"),
            ("*mid*", "amidst", "mdi"),
        ] {
            let compiled = Pattern::parse(pattern).unwrap();
            assert!(compiled.matches(matching), "{pattern} {matching}");
            assert!(!compiled.matches(other), "{pattern} {other}");
        }
        for any in ["*", "**"] {
            assert!(Pattern::parse(any).unwrap().matches("whatever"), "{any}");
        }
    }

    #[test]
    fn an_empty_pattern_and_a_star_inside_are_errors() {
        for pattern in ["", "a*b", "*a*b*"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern:?}");
        }
    }
}
