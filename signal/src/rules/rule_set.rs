//! A rule set, compiled: the rules with what finds those that an alert is about.

use super::clauses::{ClauseSet, Clauses};
use super::compiled::{Condition, Rule};
use super::label_table::{LabelTable, Slot};
use super::observers::Observers;

/// A rule set.
#[derive(Clone, Debug)]
pub(super) struct RuleSet {
    pub(super) labels: LabelTable,
    pub(super) observers: Observers,
    pub(super) clauses: Clauses,
    rules: Vec<Rule>,
    /// For each label the rules that read a name from it, as the bits of `words` words.
    by_label: Vec<u64>,
    words: usize,
}

impl RuleSet {
    /// A set of these rules, of which the first that applies counts.
    pub(super) fn new(
        labels: LabelTable,
        ignored: Vec<Box<[Condition]>>,
        observers: Observers,
        rules: Vec<Rule>,
    ) -> Self {
        let words = rules.len().div_ceil(64);
        let mut by_label = vec![0; labels.len() * words];
        for (index, rule) in rules.iter().enumerate() {
            for part in &rule.name.parts {
                if let Some(word) = by_label.get_mut(part.label.slot().index() * words + index / 64) {
                    *word |= 1 << (index % 64);
                }
            }
        }
        let clauses = Clauses::new(&labels, &rules, ignored);
        Self { labels, observers, clauses, rules, by_label, words }
    }

    /// What `apply` makes of the first rule of which it makes anything, among those that read a name from one of the labels
    /// and whose clause is in `holding`.
    pub(super) fn first<'a, T>(
        &'a self,
        labels: impl Iterator<Item = Slot> + Clone,
        holding: &ClauseSet,
        apply: impl Fn(&'a Rule) -> Option<T>,
    ) -> Option<T> {
        for (word, (rules, holding)) in self.rules.chunks(64).zip(holding).enumerate() {
            let named = labels.clone().fold(0, |named, slot| named | self.naming(slot, word));
            let mut candidates = named & holding;
            // From the lowest bit, which is the first rule.
            while candidates != 0 {
                let first = candidates.trailing_zeros() as usize;
                candidates &= candidates - 1;
                if let Some(found) = rules.get(first).and_then(&apply) {
                    return Some(found);
                }
            }
        }
        None
    }

    /// A word of the rules that read a name from the label.
    fn naming(&self, label: Slot, word: usize) -> u64 {
        self.by_label.get(label.index() * self.words + word).copied().unwrap_or_default()
    }
}
