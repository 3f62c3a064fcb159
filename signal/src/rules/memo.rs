//! What the values of labels decide, remembered within a webhook: its alerts share most of their values.

use std::borrow::Cow;

use super::clauses::Facts;
use super::label_table::LabelRef;
use super::rule_set::RuleSet;

/// Values that are remembered. At the limit all are forgotten: they only save comparisons.
const MAX_REMEMBERED: usize = 64;

/// The values of the webhook's alerts so far, with what they decide.
#[derive(Default)]
pub(crate) struct Memo<'a> {
    values: Vec<Remembered<'a>>,
}

struct Remembered<'a> {
    label: LabelRef,
    value: Cow<'a, str>,
    facts: Facts,
}

impl<'a> Memo<'a> {
    /// What this value of the label decides; never `None`. All calls must be with the same rules.
    #[expect(clippy::ptr_arg, reason = "a new value is kept as it is: a slice of the body, or a copy")]
    pub(super) fn facts(&mut self, rules: &RuleSet, label: LabelRef, value: &Cow<'a, str>) -> Option<&Facts> {
        let known = self.values.iter().position(|known| known.label == label && are_equal(&known.value, value));
        let index = known.unwrap_or_else(|| {
            if self.values.len() >= MAX_REMEMBERED {
                self.values.clear();
            }
            let facts = rules.clauses.facts(&rules.observers, label, value);
            self.values.push(Remembered { label, value: value.clone(), facts });
            self.values.len() - 1
        });
        self.values.get(index).map(|known| &known.facts)
    }
}

/// Compares eight bytes at a time: WebAssembly has no instruction for more than that.
fn are_equal(one: &str, other: &str) -> bool {
    let ((ones, one_rest), (others, other_rest)) = (one.as_bytes().as_chunks::<8>(), other.as_bytes().as_chunks::<8>());
    one.len() == other.len()
        && ones.iter().zip(others).all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
        && one_rest == other_rest
}
