//! Compiled rules: what the engine works with.

use std::fmt::{Display, Formatter, Result as FmtResult};

use super::defaults::View;
use super::label_table::LabelRef;
use super::pattern::Pattern;
use crate::target::Grammar;

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
