//! From documents to rules: everything that can be wrong with a rule is found here, once.

use super::compiled::{Condition, Kind, Name, Part, Rule, RuleId, Subject};
use super::defaults::{
    CLUSTER_SCOPE, DefaultKind, DefaultRule, EXPORTER, IGNORED, NAMESPACE_SCOPE, OBSERVERS, RULES, View,
};
use super::digest::digest;
use super::document::{Document, KindDocument, Matchers, NameDocument, NamePart, OneOrMany, RuleDocument};
use super::fixed_labels::fixed_labels;
use super::label_table::{LabelRef, LabelTable};
use super::observers::Observers;
use super::pattern::Pattern;
use super::rule_set::RuleSet;
use crate::limits::{
    MAX_ALTERNATIVES, MAX_CLUSTER, MAX_CLUSTERS, MAX_CONDITIONS, MAX_IGNORED, MAX_LABELS, MAX_OBSERVERS, MAX_RULE_TEXT,
    MAX_RULES,
};
use crate::target::is_kind;

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("targets.{path} {problem}")]
pub struct RuleError {
    /// Where in the document.
    path: String,
    problem: String,
}

pub(super) type Checked<T> = Result<T, RuleError>;

/// A list of names of clusters at `path`.
pub(super) fn cluster_names(path: &str, names: &[String]) -> Checked<Box<[Box<str>]>> {
    bounded(path, names.len(), MAX_CLUSTERS)?;
    let name = |(index, name): (usize, &String)| {
        let length = name.chars().count();
        if (1..=MAX_CLUSTER).contains(&length) {
            return Ok(name.as_str().into());
        }
        error(format!("{path}[{index}]"), format!("has {length} characters; write a name of 1 to {MAX_CLUSTER}"))
    };
    names.iter().enumerate().map(name).collect()
}

pub(super) fn error<T>(path: impl Into<String>, problem: impl Into<String>) -> Checked<T> {
    Err(RuleError { path: path.into(), problem: problem.into() })
}

/// Compiles the user's rules and, after them, the built-in ones; returns their hash, too.
pub(super) fn compile(document: &Document) -> Checked<(RuleSet, String)> {
    let mut compiler = Compiler { labels: fixed_labels() };
    bounded("ignore", document.ignore.len(), MAX_IGNORED)?;
    bounded("observers", document.observers.len(), MAX_OBSERVERS)?;
    bounded("rules", document.rules.len(), MAX_RULES)?;

    let mut ignored = compiler.ignored(&document.ignore)?;
    ignored.extend(compiler.ignored(&built_in_ignored())?);

    let mut rules = Vec::new();
    for (index, rule) in document.rules.iter().enumerate() {
        let id = RuleId::User(u16::try_from(index).unwrap_or(u16::MAX));
        rules.push(compiler.users_rule(id, &format!("rules[{index}]"), rule)?);
    }
    for rule in RULES {
        compiler.built_in(rule, &mut rules)?;
    }
    let observers = Observers::new(observers(&document.observers)?);
    let hash = digest(&(compiler.labels.names(), &ignored, observers.patterns(), &rules));
    Ok((RuleSet::new(compiler.labels, ignored, observers, rules), hash))
}

fn observers(users: &[OneOrMany]) -> Checked<Vec<Box<[Pattern]>>> {
    let mut observers = Vec::new();
    for (index, names) in users.iter().enumerate() {
        observers.push(patterns(&format!("observers[{index}]"), names)?);
    }
    for names in OBSERVERS {
        observers.push(patterns("observers", &texts(names))?);
    }
    Ok(observers)
}

struct Compiler {
    labels: LabelTable,
}

impl Compiler {
    fn ignored(&mut self, entries: &[Matchers]) -> Checked<Vec<Box<[Condition]>>> {
        let mut ignored = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("ignore[{index}]");
            if entry.0.is_empty() {
                return error(path, "is empty, so that every alert would be ignored; name a label and its value");
            }
            ignored.push(self.conditions(&path, entry)?);
        }
        Ok(ignored)
    }

    fn conditions(&mut self, path: &str, matchers: &Matchers) -> Checked<Box<[Condition]>> {
        bounded(path, matchers.0.len(), MAX_CONDITIONS)?;
        let mut conditions = Vec::new();
        for (label, values) in &matchers.0 {
            let path = format!("{path}.{label}");
            let subject = Subject::Label(self.label(&path, label)?);
            conditions.push(Condition { subject, patterns: patterns(&path, values)? });
        }
        Ok(conditions.into())
    }

    /// A user's rule, which cannot have every kind.
    fn users_rule(&mut self, id: RuleId, path: &str, document: &RuleDocument) -> Checked<Rule> {
        if let KindDocument::Literal(kind) = &document.kind
            && [NAMESPACE_SCOPE, CLUSTER_SCOPE].contains(&&**kind)
        {
            let problem = format!("is `{kind}`, which stands for an alert without an object; choose another kind");
            return error(format!("{path}.kind"), problem);
        }
        self.rule(id, path, document)
    }

    fn rule(&mut self, id: RuleId, path: &str, document: &RuleDocument) -> Checked<Rule> {
        Ok(Rule {
            id,
            when: self.conditions(&format!("{path}.when"), &document.when)?,
            kind: self.kind(&format!("{path}.kind"), &document.kind)?,
            name: self.name(&format!("{path}.name"), &document.name)?,
            namespace: self.labels(&format!("{path}.namespace"), &document.namespace)?,
            cluster: self.labels(&format!("{path}.cluster"), &document.cluster)?,
            needs_namespace: false,
            observers_only: false,
            view: View::AsSent,
        })
    }

    fn kind(&mut self, path: &str, kind: &KindDocument) -> Checked<Kind> {
        match kind {
            KindDocument::Label { label } => Ok(Kind::Label(self.label(path, label)?)),
            KindDocument::Literal(kind) if is_kind(kind) => Ok(Kind::literal(kind)),
            KindDocument::Literal(_) => {
                error(path, "is no kind; write letters and digits, a capital first, at most 63 characters")
            }
        }
    }

    fn name(&mut self, path: &str, name: &NameDocument) -> Checked<Name> {
        let (parts, join) = match name {
            NameDocument::First(parts) => (parts, false),
            NameDocument::Join { join } => (join, true),
        };
        if parts.is_empty() {
            return error(path, "is empty; name the label that holds the target's name");
        }
        bounded(path, parts.len(), MAX_ALTERNATIVES)?;
        let parts: Checked<Vec<Part>> = parts.iter().map(|part| self.part(path, part)).collect();
        Ok(Name { parts: parts?.into(), join })
    }

    fn part(&mut self, path: &str, part: &NamePart) -> Checked<Part> {
        let (label, host) = match part {
            NamePart::Label(label) => (label, false),
            NamePart::Host { host } => (host, true),
        };
        Ok(Part { label: self.label(path, label)?, host })
    }

    fn labels(&mut self, path: &str, labels: &OneOrMany) -> Checked<Box<[LabelRef]>> {
        bounded(path, labels.0.len(), MAX_ALTERNATIVES)?;
        labels.0.iter().map(|label| self.label(path, label)).collect()
    }

    fn label(&mut self, path: &str, label: &str) -> Checked<LabelRef> {
        if label.is_empty() || label.chars().count() > MAX_RULE_TEXT {
            return error(path, format!("has a label of {} bytes; use 1 to {MAX_RULE_TEXT} characters", label.len()));
        }
        let label = self.labels.intern(label);
        if self.labels.len() > MAX_LABELS {
            return error(path, format!("has one label too many; all rules may read {MAX_LABELS} different ones"));
        }
        Ok(label)
    }

    /// A rule of the table, once for each label of its condition.
    fn built_in(&mut self, default: &DefaultRule, rules: &mut Vec<Rule>) -> Checked<()> {
        let document = RuleDocument {
            when: Matchers::default(),
            kind: match default.kind {
                DefaultKind::Literal(kind) => KindDocument::Literal(kind.to_owned()),
                DefaultKind::Label(label) => KindDocument::Label { label: label.to_owned() },
            },
            name: NameDocument::First(default.name_parts().collect()),
            namespace: texts(default.namespace),
            cluster: texts(if default.reads_cluster { &["cluster"] } else { &[] }),
        };
        let mut rule = self.rule(RuleId::BuiltIn(default.id), default.id, &document)?;
        (rule.needs_namespace, rule.observers_only) = (default.needs_namespace, default.observers_only);
        rule.view = default.view;
        let subjects = match default.when {
            [] => {
                rules.push(rule);
                return Ok(());
            }
            EXPORTER => vec![Subject::Exporter],
            labels => self.labels(default.id, &texts(labels))?.into_iter().map(Subject::Label).collect(),
        };
        let patterns = patterns(default.id, &texts(default.patterns))?;
        for subject in subjects {
            let when = [Condition { subject, patterns: patterns.clone() }].into();
            rules.push(Rule { when, ..rule.clone() });
        }
        Ok(())
    }
}

/// The built-in entries of `ignore`, as a user writes them.
fn built_in_ignored() -> Vec<Matchers> {
    let labels =
        |entry: &&[(&str, &[&str])]| entry.iter().map(|(label, values)| ((*label).to_owned(), texts(values))).collect();
    IGNORED.iter().map(|entry| Matchers(labels(entry))).collect()
}

fn texts(texts: &[&str]) -> OneOrMany {
    OneOrMany(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn patterns(path: &str, texts: &OneOrMany) -> Checked<Box<[Pattern]>> {
    if texts.0.is_empty() {
        return error(path, "is an empty list, which nothing matches; write a value or remove it");
    }
    bounded(path, texts.0.len(), MAX_ALTERNATIVES)?;
    texts.0.iter().map(|text| pattern(path, text)).collect()
}

pub(super) fn pattern(path: &str, text: &str) -> Checked<Pattern> {
    if text.chars().count() > MAX_RULE_TEXT {
        return error(path, format!("has a value of more than {MAX_RULE_TEXT} characters"));
    }
    Pattern::parse(text).or_else(|problem| error(path, problem))
}

pub(super) fn bounded(path: &str, length: usize, limit: usize) -> Checked<()> {
    if length <= limit { Ok(()) } else { error(path, format!("has {length} entries; use at most {limit}")) }
}
