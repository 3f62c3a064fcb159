//! Target rules: which of an alert's labels name the object that its incident is about.
//!
//! Rules are data, tried in order: the user's own, then the built-in table. The first that applies names the target. They are
//! compiled once; deciding an alert takes time linear in its labels and in the rules that read one of them, and allocates
//! nothing.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use self::compile::compile;
use self::compiled::{Condition, Kind, Rule, Subject};
use self::defaults::{NAMESPACE_SCOPE, View};
use self::label_table::LabelTable;
use self::observers::Observers;
use self::rule_set::RuleSet;
use self::view::AlertLabels;
use crate::target::{Grammar, NAMESPACE, Resource, Target, host, is_kind};

mod built_in;
mod clauses;
mod compile;
mod compiled;
mod defaults;
mod digest;
mod document;
mod fixed_labels;
mod known_labels;
mod label_table;
mod memo;
mod observers;
mod pattern;
mod resolution;
mod rule_set;
mod scope;
mod view;

pub use self::built_in::{BuiltInRule, built_in_rules};
pub use self::compile::RuleError;
pub use self::compiled::RuleId;
pub use self::document::{
    Document, KindDocument, Matchers, Missing, NameDocument, NamePart, OneOrMany, Resolve, RuleDocument,
};
pub(crate) use self::fixed_labels::{ALERT_NAME, ALERTNAME, CLUSTER, SEVERITY};
pub(crate) use self::known_labels::KnownLabels;
pub(crate) use self::label_table::LabelRef;
pub(crate) use self::memo::Memo;
pub use self::resolution::Resolution;
pub use self::scope::TargetScope;

/// The compiled rules. As data they are their [`Document`]; two are equal if they decide alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Rules {
    document: Document,
    set: RuleSet,
    scope: TargetScope,
    resolution: Resolution,
    hash: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self::built_in().clone()
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.scope == other.scope && self.resolution == other.resolution
    }
}

impl Eq for Rules {}

impl TryFrom<Document> for Rules {
    type Error = RuleError;

    fn try_from(document: Document) -> Result<Self, RuleError> {
        Self::compile(document)
    }
}

impl From<Rules> for Document {
    fn from(rules: Rules) -> Self {
        rules.document
    }
}

/// What the rules make of an alert's labels.
pub(crate) struct Decided<'a> {
    /// Whether the alert is no incident.
    pub(crate) ignored: bool,
    pub(crate) rule: RuleId,
    /// The object that the labels name.
    pub(crate) resource: Resource<'a>,
    pub(crate) target: Target<'a>,
    /// The cluster that a label names.
    pub(crate) cluster: Option<Cow<'a, str>>,
}

impl Rules {
    /// Compiles a user's rules together with the built-in ones.
    ///
    /// # Errors
    /// What is wrong with which rule.
    pub fn compile(document: Document) -> Result<Self, RuleError> {
        let (set, hash) = compile(&document)?;
        let scope = TargetScope::compile(&document)?;
        let resolution = Resolution::compile(&document)?;
        Ok(Self { document, set, scope, resolution, hash })
    }

    /// The built-in rules alone.
    #[must_use]
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Rules> = LazyLock::new(|| {
            // The table's own tests compile it; with no rules every alert would be rejected, not misread.
            Rules::compile(Document::default()).unwrap_or_else(|_| Rules::empty())
        });
        &BUILT_IN
    }

    fn empty() -> Self {
        let set = RuleSet::new(LabelTable::new(&[]), Vec::new(), Observers::new(Vec::new()), Vec::new());
        let (scope, resolution) = (TargetScope::default(), Resolution::default());
        Self { document: Document::default(), set, scope, resolution, hash: String::new() }
    }

    /// A short hash of the rules, the built-in ones included: filter and sidecar have the same rules if it is equal. The
    /// [scope](Self::scope) and the [resolution](Self::resolution) are no part of it.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The clusters and namespaces that signals may be about.
    #[must_use]
    pub const fn scope(&self) -> &TargetScope {
        &self.scope
    }

    /// How the workload that an RR names is found.
    #[must_use]
    pub const fn resolution(&self) -> &Resolution {
        &self.resolution
    }

    /// The label of this name, if a rule reads it.
    pub(crate) fn label(&self, name: &str) -> Option<LabelRef> {
        self.set.labels.get(name)
    }

    /// Room for the labels of an alert.
    pub(crate) fn known_labels<'a>(&self) -> KnownLabels<'a> {
        KnownLabels::of(self.set.labels.len())
    }

    /// The target of an alert with these labels; `None` only if it has no name. `memo` is that of its webhook.
    pub(crate) fn decide<'a>(&'a self, known: &KnownLabels<'a>, memo: &mut Memo<'a>) -> Option<Decided<'a>> {
        let (labels, holding) = AlertLabels::new(known, &self.set, memo);
        let ignored = self.set.clauses.any_ignored(&holding, |rest| all_hold(rest, &labels));
        self.set.first(known.slots(), &holding, |rule| apply(rule, &labels, ignored))
    }
}

fn all_hold(conditions: &[Condition], labels: &AlertLabels<'_, '_>) -> bool {
    for Condition { subject, patterns } in conditions {
        let holds = match subject {
            Subject::Exporter => patterns.iter().any(|pattern| labels.exporter_matches(pattern)),
            Subject::Label(label) => {
                let Some(value) = labels.condition(*label) else { return false };
                patterns.iter().any(|pattern| pattern.matches(value))
            }
        };
        if !holds {
            return false;
        }
    }
    true
}

/// What the rule, whose first condition holds, names; `None` if it does not apply.
fn apply<'a>(rule: &'a Rule, labels: &AlertLabels<'_, 'a>, ignored: bool) -> Option<Decided<'a>> {
    if rule.observers_only && !labels.is_of_observer() || !all_hold(rule.when.get(1..).unwrap_or_default(), labels) {
        return None;
    }
    let (kind, grammar) = match &rule.kind {
        Kind::Literal(kind, grammar) => (Cow::Borrowed(&**kind), *grammar),
        Kind::Label(label) => {
            let kind = labels.value(*label, rule.view).filter(|kind| is_kind(kind))?.clone();
            // Only Kubernetes' objects are named by their kind.
            (kind, Grammar::Subdomain)
        }
    };
    let name = name(rule, grammar, labels)?;
    let mut namespaces = rule.namespace.iter().filter_map(|label| labels.value(*label, rule.view));
    let namespace = namespaces.find(|namespace| Grammar::Label.accepts(namespace)).cloned();
    if rule.needs_namespace && namespace.is_none() {
        return None;
    }
    let cluster = rule.cluster.iter().find_map(|label| labels.value(*label, View::AsSent)).cloned();
    let (resource, target) = object(kind, name, namespace);
    Some(Decided { ignored, rule: rule.id, resource, target, cluster })
}

fn name<'a>(rule: &'a Rule, grammar: Grammar, labels: &AlertLabels<'_, 'a>) -> Option<Cow<'a, str>> {
    let mut parts = rule.name.parts.iter().map(|part| {
        let value = labels.value(part.label, rule.view)?;
        if part.host { host(value) } else { Some(value.clone()) }
    });
    if rule.name.join {
        let parts: Vec<Cow<'a, str>> = parts.collect::<Option<_>>()?;
        return Some(Cow::Owned(parts.join("/"))).filter(|name| grammar.accepts(name));
    }
    parts.find_map(|part| part.filter(|name| grammar.accepts(name)))
}

fn object<'a>(kind: Cow<'a, str>, name: Cow<'a, str>, namespace: Option<Cow<'a, str>>) -> (Resource<'a>, Target<'a>) {
    match namespace {
        Some(namespace) if kind == NAMESPACE_SCOPE => {
            let resource = Resource {
                kind: Cow::Borrowed(NAMESPACE),
                name: namespace.clone(),
                namespace: None,
                api_version: None,
            };
            (resource, Target { namespace, kind, name })
        }
        namespace => {
            let resource = Resource { kind, name, namespace, api_version: None }.without_needless_namespace();
            let target = resource.target();
            (resource, target)
        }
    }
}
