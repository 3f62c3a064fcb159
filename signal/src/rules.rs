//! Target rules: which of an alert's labels name the object that its incident is about.
//!
//! Rules are data, tried in order: the user's own, then the built-in table. The first that applies names the target. They are
//! compiled once; deciding an alert takes time linear in its labels and in the rules that read one of them, and allocates
//! nothing.

use std::borrow::Cow;
use std::fmt::{Display, Formatter, Result as FmtResult};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use self::compile::{Condition, Kind, Rule, compile};
use self::defaults::{NAMESPACE_SCOPE, View};
use self::label_table::LabelTable;
use self::observers::Observers;
use self::view::AlertLabels;
use crate::limits::{MAX_NAME, MAX_RULES};
use crate::target::{NAMESPACE, Resource, Target, host, is_dns_label, is_dns_subdomain, is_kind};

mod compile;
mod defaults;
mod digest;
mod document;
mod label_table;
mod observers;
mod pattern;
mod view;

pub use self::compile::RuleError;
pub use self::document::{Document, KindDocument, Matchers, NameDocument, NamePart, OneOrMany, RuleDocument};
pub(crate) use self::label_table::{KnownLabel, LabelRef, Slot};
pub(crate) use self::view::{ALERT_NAME, ALERTNAME, SEVERITY};

/// Sets of rules as bits: enough for the user's rules and the built-in ones.
const WORDS: usize = (MAX_RULES + 256) / 64;
type RuleSet = [u64; WORDS];

/// The compiled rules. As data they are their [`Document`]; two are equal if they decide alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Document", into = "Document")]
pub struct Rules {
    document: Document,
    labels: LabelTable,
    ignored: Vec<Box<[Condition]>>,
    observers: Observers,
    rules: Vec<Rule>,
    /// For each label the rules that read a name from it.
    by_label: Vec<RuleSet>,
    hash: String,
}

impl Default for Rules {
    fn default() -> Self {
        Self::built_in().clone()
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
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
        compile(document)
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
        Self {
            document: Document::default(),
            labels: LabelTable::new(&[]),
            ignored: Vec::new(),
            observers: Observers::new(Vec::new()),
            rules: Vec::new(),
            by_label: Vec::new(),
            hash: String::new(),
        }
    }

    /// A short hash of the rules, the built-in ones included: filter and sidecar have the same rules if it is equal.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The label of this name, if a rule reads it.
    pub(crate) fn label(&self, name: &str) -> Option<LabelRef> {
        self.labels.get(name)
    }

    /// The target of an alert with these labels; `None` only if it has no name.
    pub(crate) fn decide<'a>(&'a self, known: &[KnownLabel<'a>]) -> Option<Decided<'a>> {
        let labels = AlertLabels::new(known, &self.observers);
        let ignored = self.ignored.iter().any(|conditions| all_hold(conditions, &labels));
        self.candidates(&labels).find_map(|rule| apply(rule, &labels)).map(|decided| Decided { ignored, ..decided })
    }

    /// The rules that read one of the labels, in order.
    fn candidates<'r>(&'r self, labels: &AlertLabels<'_, '_>) -> impl Iterator<Item = &'r Rule> + use<'r> {
        let mut set: RuleSet = [0; WORDS];
        for slot in labels.slots() {
            let Some(of_label) = self.by_label.get(slot.index()) else { continue };
            for (word, more) in set.iter_mut().zip(of_label) {
                *word |= more;
            }
        }
        set.into_iter()
            .enumerate()
            .flat_map(|(index, word)| Bits(word).map(move |bit| index * 64 + bit))
            .filter_map(|index| self.rules.get(index))
    }
}

/// The set bits of a word, ascending.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

fn all_hold(conditions: &[Condition], labels: &AlertLabels<'_, '_>) -> bool {
    conditions.iter().all(|condition| {
        let value = labels.condition(condition.label);
        value.is_some_and(|value| condition.patterns.iter().any(|pattern| pattern.matches(value)))
    })
}

/// What the rule names; `None` if it does not apply.
fn apply<'a>(rule: &'a Rule, labels: &AlertLabels<'_, 'a>) -> Option<Decided<'a>> {
    if rule.observers_only && !labels.is_of_observer() || !all_hold(&rule.when, labels) {
        return None;
    }
    let kind = match &rule.kind {
        Kind::Literal(kind) => Cow::Borrowed(&**kind),
        Kind::Label(label) => labels.value(*label, rule.view).filter(|kind| is_kind(kind))?.clone(),
    };
    let name = name(rule, &kind, labels)?;
    let mut namespaces = rule.namespace.iter().filter_map(|label| labels.value(*label, rule.view));
    let namespace = namespaces.find(|namespace| is_dns_label(namespace)).cloned();
    if rule.needs_namespace && namespace.is_none() {
        return None;
    }
    let cluster = rule.cluster.iter().find_map(|label| labels.value(*label, View::AsSent)).cloned();
    let (resource, target) = object(kind, name, namespace);
    Some(Decided { ignored: false, rule: rule.id, resource, target, cluster })
}

fn name<'a>(rule: &'a Rule, kind: &str, labels: &AlertLabels<'_, 'a>) -> Option<Cow<'a, str>> {
    let mut parts = rule.name.parts.iter().map(|part| {
        let value = labels.value(part.label, rule.view)?;
        if part.host { host(value) } else { Some(value.clone()) }
    });
    if rule.name.join {
        let parts: Vec<Cow<'a, str>> = parts.collect::<Option<_>>()?;
        return Some(Cow::Owned(parts.join("/"))).filter(|name| is_name(kind, name));
    }
    parts.find_map(|part| part.filter(|name| is_name(kind, name)))
}

/// Whether `name` is a valid name of an object of this kind. Of kinds that are not Kubernetes' any text is one.
fn is_name(kind: &str, name: &str) -> bool {
    match kind {
        NAMESPACE | "Service" => is_dns_label(name),
        _ if KUBERNETES.contains(&kind) => is_dns_subdomain(name),
        _ => name.len() <= MAX_NAME || name.chars().count() <= MAX_NAME,
    }
}

/// The kinds whose names follow RFC 1123.
const KUBERNETES: &[&str] = &[
    "APIService",
    "Application",
    "Certificate",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "DeploymentConfig",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "NetworkPolicy",
    "Node",
    "NodePool",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "ReplicaSet",
    "ReplicationController",
    "ResourceQuota",
    "Rollout",
    "ScaledObject",
    "Schedule",
    "Secret",
    "StatefulSet",
    "VerticalPodAutoscaler",
];

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

impl Slot {
    /// The set with this rule in it.
    fn add_rule(self, by_label: &mut Vec<RuleSet>, rule: usize) {
        if by_label.len() <= self.index() {
            by_label.resize(self.index() + 1, [0; WORDS]);
        }
        if let Some(word) = by_label.get_mut(self.index()).and_then(|set| set.get_mut(rule / 64)) {
            *word |= 1 << (rule % 64);
        }
    }
}
