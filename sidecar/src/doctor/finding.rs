//! What one check finds.

use serde::Serialize;

/// Items that are shown of one finding; the rest is a number.
const MAX_ITEMS: usize = 20;

/// How a check ended; the worst is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Pass,
    /// Not checked, with the reason.
    Skipped,
    /// It works, but somebody should look at it.
    Warn,
    /// Something does not work, or will not.
    Fail,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it ended.
    pub status: Status,
    /// What was found, in one line.
    pub summary: String,
    /// What to do; `None` if there is nothing to do.
    pub action: Option<String>,
    /// The objects that it is about, at most 20 and the number of the others.
    pub items: Vec<String>,
}

impl Finding {
    pub(super) fn pass(summary: impl Into<String>) -> Self {
        Self { status: Status::Pass, summary: summary.into(), action: None, items: Vec::new() }
    }

    pub(super) fn skipped(reason: impl Into<String>) -> Self {
        Self { status: Status::Skipped, ..Self::pass(reason) }
    }

    pub(super) fn warn(summary: impl Into<String>, action: impl Into<String>) -> Self {
        Self { status: Status::Warn, action: Some(action.into()), ..Self::pass(summary) }
    }

    pub(super) fn fail(summary: impl Into<String>, action: impl Into<String>) -> Self {
        Self { status: Status::Fail, ..Self::warn(summary, action) }
    }

    /// The same, about these objects.
    pub(super) fn about(self, items: impl IntoIterator<Item = String>) -> Self {
        let mut items = items.into_iter();
        let mut shown: Vec<String> = items.by_ref().take(MAX_ITEMS).collect();
        let more = items.count();
        if more > 0 {
            shown.push(format!("and {more} more"));
        }
        Self { items: shown, ..self }
    }
}

/// `1 thing`, `2 things`.
pub(super) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{Finding, MAX_ITEMS, Status, counted};

    #[test]
    fn a_failure_is_worse_than_a_warning_and_a_warning_worse_than_what_was_not_checked() {
        assert!(Status::Fail > Status::Warn && Status::Warn > Status::Skipped && Status::Skipped > Status::Pass);
    }

    #[test]
    fn items_are_bounded_and_the_others_are_counted() {
        let finding = Finding::warn("many", "look").about((0..50).map(|n| n.to_string()));
        assert_eq!((finding.items.len(), finding.items.last().unwrap().as_str()), (MAX_ITEMS + 1, "and 30 more"));
        assert_eq!(Finding::pass("one").about(["a".to_owned()]).items, ["a"]);
    }

    #[test]
    fn a_number_has_its_noun() {
        assert_eq!((counted(1, "key"), counted(2, "key")), ("1 key".to_owned(), "2 keys".to_owned()));
    }
}
