//! Which rules' conditions hold, by what one value of one label decides.
//!
//! A clause is what must hold for a rule to apply, or for an alert to be ignored: a list of conditions. The clauses are
//! indexed by their first condition, so that an alert costs nothing for a rule unless it has the label that the rule looks
//! at; the other conditions of the few clauses that are left are compared one by one.

use super::compiled::{Condition, Rule, Subject};
use super::fixed_labels::{names_exporter, names_observer};
use super::label_table::{LabelRef, LabelTable};
use super::observers::Observers;
use super::pattern::Letters;
use crate::limits::{MAX_IGNORED, MAX_RULES};

/// The most built-in clauses.
const MAX_BUILT_IN: usize = 256;
/// The words of the largest set of clauses.
const MAX_WORDS: usize = (MAX_RULES + MAX_IGNORED + MAX_BUILT_IN) / 64;

/// A set of clauses, as bits.
pub(super) type ClauseSet = [u64; MAX_WORDS];
const NONE: ClauseSet = [0; MAX_WORDS];

/// All clauses: first those of the rules, by their index, then those of the ignored alerts.
#[derive(Clone, Debug)]
pub(super) struct Clauses {
    rules: usize,
    /// The words of the sets that are used.
    words: usize,
    ignored: Vec<Box<[Condition]>>,
    /// The clauses without a condition.
    always: ClauseSet,
    /// The clauses whose first condition is about the label.
    by_label: Vec<Vec<FirstCondition>>,
    /// The clauses whose first condition is about the exporter.
    by_exporter: Vec<FirstCondition>,
}

/// The first condition of a clause.
#[derive(Clone, Debug)]
struct FirstCondition {
    clause: usize,
    condition: Condition,
}

/// What one value of one label decides.
pub(super) struct Facts {
    /// The clauses whose first condition holds.
    pub(super) clauses: ClauseSet,
    /// The observer that the value names.
    pub(super) observer: Option<u16>,
}

impl Clauses {
    pub(super) fn new(labels: &LabelTable, rules: &[Rule], ignored: Vec<Box<[Condition]>>) -> Self {
        let mut clauses = Self {
            rules: rules.len(),
            words: (rules.len() + ignored.len()).div_ceil(64),
            ignored: Vec::new(),
            always: NONE,
            by_label: vec![Vec::new(); labels.len() * LabelRef::FORMS],
            by_exporter: Vec::new(),
        };
        let all = rules.iter().map(|rule| &rule.when).chain(&ignored);
        for (clause, conditions) in all.enumerate() {
            clauses.add(clause, conditions.first());
        }
        clauses.ignored = ignored;
        clauses
    }

    fn add(&mut self, clause: usize, first: Option<&Condition>) {
        let Some(condition) = first else {
            insert(&mut self.always, clause);
            return;
        };
        let list = match condition.subject {
            Subject::Exporter => Some(&mut self.by_exporter),
            Subject::Label(label) => self.by_label.get_mut(label.index()),
        };
        if let Some(list) = list {
            list.push(FirstCondition { clause, condition: condition.clone() });
        }
    }

    /// The clauses without a condition, to begin with.
    pub(super) fn always(&self) -> ClauseSet {
        self.always
    }

    /// Whether the first condition of any clause is about the label.
    pub(super) fn read(&self, label: LabelRef) -> bool {
        self.by_label.get(label.index()).is_some_and(|first| !first.is_empty())
    }

    /// What this value of the label decides.
    pub(super) fn facts(&self, observers: &Observers, label: LabelRef, value: &str) -> Facts {
        let letters = Letters::of(value);
        let mut clauses = NONE;
        let by_exporter = if names_exporter(label) { self.by_exporter.as_slice() } else { &[] };
        let by_label = self.by_label.get(label.index()).map(Vec::as_slice).unwrap_or_default();
        for FirstCondition { clause, condition } in by_exporter.iter().chain(by_label) {
            if condition.patterns.iter().any(|pattern| pattern.matches_with(value, letters)) {
                insert(&mut clauses, *clause);
            }
        }
        let observer = if names_observer(label) { observers.find(value, letters) } else { None };
        Facts { clauses, observer }
    }

    /// Adds the clauses of `more` to a set.
    pub(super) fn add_all(&self, set: &mut ClauseSet, more: &ClauseSet) {
        for (word, more) in set.iter_mut().zip(more).take(self.words) {
            *word |= more;
        }
    }

    /// Whether the alert is ignored: all conditions of one of the ignored clauses hold, of which the first is in `holding`.
    pub(super) fn any_ignored(&self, holding: &ClauseSet, rest_holds: impl Fn(&[Condition]) -> bool) -> bool {
        self.ignored.iter().zip(self.rules..).any(|(conditions, clause)| {
            contains(holding, clause) && rest_holds(conditions.get(1..).unwrap_or_default())
        })
    }
}

fn insert(set: &mut ClauseSet, clause: usize) {
    if let Some(word) = set.get_mut(clause / 64) {
        *word |= 1 << (clause % 64);
    }
}

fn contains(set: &ClauseSet, clause: usize) -> bool {
    set.get(clause / 64).is_some_and(|word| word >> (clause % 64) & 1 == 1)
}
