//! What a label's value is compared with: a text, or a text with `*` at either end. There are no regular expressions, so
//! that a comparison is linear in the value whatever the configuration.

/// Longer values are searched with the standard library's algorithm, which is linear but has a high cost to begin with.
const MAX_SHORT: usize = 256;

/// A text that a value equals, begins with, ends with, or contains.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    form: Form,
    text: Box<str>,
    letters: Letters,
}

/// Where in the value the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// `text`
    Exact,
    /// `text*`
    Prefix,
    /// `*text`
    Suffix,
    /// `*text*`; of `*` alone the text is empty, and every value matches.
    Contains,
}

/// Which bytes occur in a text, as bits; bytes that differ by a multiple of 64 share one. A text can be in another only if
/// all of its letters are, which rules out most patterns at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Letters(u64);

impl Letters {
    pub(super) fn of(text: &str) -> Self {
        Self(text.bytes().fold(0, |letters, byte| letters | 1 << (byte % 64)))
    }

    fn has_all(self, of: Self) -> bool {
        of.0 & !self.0 == 0
    }
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
        let form = match (open_start, open_end) {
            _ if middle.is_empty() => Form::Contains,
            (false, false) => Form::Exact,
            (false, true) => Form::Prefix,
            (true, false) => Form::Suffix,
            (true, true) => Form::Contains,
        };
        Ok(Self { form, text: middle.into(), letters: Letters::of(middle) })
    }

    pub(super) fn form(&self) -> Form {
        self.form
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether `value` matches.
    #[inline]
    pub(super) fn matches(&self, value: &str) -> bool {
        // Nearly all comparisons end here.
        if value.len() < self.text.len() || self.form == Form::Exact && value.len() != self.text.len() {
            return false;
        }
        match self.form {
            Form::Exact => *self.text == *value,
            Form::Prefix => value.as_bytes().starts_with(self.text.as_bytes()),
            Form::Suffix => value.as_bytes().ends_with(self.text.as_bytes()),
            Form::Contains => self.is_contained(value),
        }
    }

    /// Not inlined: it would make the other comparisons slower.
    #[inline(never)]
    fn is_contained(&self, value: &str) -> bool {
        if value.len() > MAX_SHORT {
            value.contains(&*self.text)
        } else {
            contains(value.as_bytes(), self.text.as_bytes())
        }
    }

    /// Whether `value`, which has these letters, matches.
    pub(super) fn matches_with(&self, value: &str, letters: Letters) -> bool {
        self.is_possible(letters) && self.matches(value)
    }

    /// Whether a value with these letters may match.
    pub(super) fn is_possible(&self, letters: Letters) -> bool {
        letters.has_all(self.letters)
    }
}

/// Quadratic, and for short texts the fastest.
fn contains(value: &[u8], text: &[u8]) -> bool {
    text.is_empty() || value.windows(text.len()).any(|window| window.first() == text.first() && window == text)
}

#[cfg(test)]
mod tests {
    use super::{Letters, Pattern};

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
    fn a_long_value_is_searched_too_and_letters_rule_nothing_out_that_matches() {
        let long = format!("{}needle{}", "é".repeat(200), "x".repeat(200));
        for (pattern, matching) in [("*needle*", true), ("*needles*", false), ("*é*", true), ("*x", true)] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(&long), matching, "{pattern:?}");
            assert_eq!(pattern.matches_with(&long, Letters::of(&long)), matching, "{pattern:?}");
        }
    }

    #[test]
    fn an_empty_pattern_and_a_star_inside_are_errors() {
        for pattern in ["", "a*b", "*a*b*"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern:?}");
        }
    }
}
