//! Compiled rules: what the engine works with.

use std::fmt::{Display, Formatter, Result as FmtResult};

use super::defaults::View;
use super::label_table::{LabelRef, LabelTable, Slot};
use super::observers::Observers;
use super::pattern::Pattern;
use crate::limits::MAX_RULES;
use crate::target::Grammar;

/// The most words of a set of rules: enough for the user's rules and the built-in ones.
const MAX_WORDS: usize = (MAX_RULES + 256) / 64;

/// A rule set.
#[derive(Clone, Debug)]
pub(super) struct RuleSet {
    pub(super) labels: LabelTable,
    pub(super) ignored: Vec<Box<[Condition]>>,
    pub(super) observers: Observers,
    rules: Vec<Rule>,
    /// For each label the rules that read a name from it, as the bits of `words` words.
    by_label: Vec<u64>,
    words: usize,
}

/// Which rule named a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleId {
    /// A rule of the built-in table, by its name there.
    BuiltIn(&'static str),
    /// A rule of the user's: its index.
    User(u16),
    /// The signal names its object itself, as an event does.
    Object,
}

impl Display for RuleId {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        match self {
            Self::BuiltIn(name) => f.write_str(name),
            Self::User(index) => write!(f, "rules[{index}]"),
            Self::Object => f.write_str("object"),
        }
    }
}

/// What must match one of the patterns.
#[derive(Clone, Debug, Hash)]
pub(super) struct Condition {
    pub(super) subject: Subject,
    pub(super) patterns: Box<[Pattern]>,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) enum Subject {
    /// A label.
    Label(LabelRef),
    /// Any of the labels that name the exporter.
    Exporter,
}

/// A compiled rule.
#[derive(Clone, Debug, Hash)]
pub(super) struct Rule {
    pub(super) id: RuleId,
    pub(super) when: Box<[Condition]>,
    pub(super) kind: Kind,
    pub(super) name: Name,
    pub(super) namespace: Box<[LabelRef]>,
    pub(super) cluster: Box<[LabelRef]>,
    pub(super) needs_namespace: bool,
    pub(super) observers_only: bool,
    pub(super) view: View,
}

/// A rule's kind.
#[derive(Clone, Debug, Hash)]
pub(super) enum Kind {
    /// With the grammar of its names.
    Literal(Box<str>, Grammar),
    Label(LabelRef),
}

impl Kind {
    pub(super) fn literal(kind: &str) -> Self {
        Self::Literal(kind.into(), Grammar::of(kind))
    }
}

/// A rule's name.
#[derive(Clone, Debug, Hash)]
pub(super) struct Name {
    pub(super) parts: Box<[Part]>,
    /// All parts joined; else the first that is present.
    pub(super) join: bool,
}

/// A label of a name.
#[derive(Clone, Copy, Debug, Hash)]
pub(super) struct Part {
    pub(super) label: LabelRef,
    /// Only the host in its value.
    pub(super) host: bool,
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
        Self { labels, ignored, observers, rules, by_label, words }
    }

    /// What `apply` makes of the first rule of which it makes anything, among those that read a name from one of the labels.
    pub(super) fn first<'a, T>(
        &'a self,
        labels: impl Iterator<Item = Slot>,
        apply: impl Fn(&'a Rule) -> Option<T>,
    ) -> Option<T> {
        for (rules, mut candidates) in self.rules.chunks(64).zip(self.candidates(labels)) {
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

    /// The rules that read a name from one of the labels, as bits.
    fn candidates(&self, labels: impl Iterator<Item = Slot>) -> [u64; MAX_WORDS] {
        let mut set = [0; MAX_WORDS];
        for slot in labels {
            let first = slot.index() * self.words;
            let of_label = self.by_label.get(first..first + self.words).unwrap_or_default();
            for (word, more) in set.iter_mut().zip(of_label) {
                *word |= more;
            }
        }
        set
    }
}
