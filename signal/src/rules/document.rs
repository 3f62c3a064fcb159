//! The rules as users write them: one document, JSON in the filter's plugin configuration and YAML in the sidecar's file.

use std::collections::BTreeMap;
use std::fmt::{Formatter, Result as FmtResult};

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// What users may add to the built-in rules. All of it is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Document {
    /// Alerts that are no incident: those that match any of these.
    pub ignore: Vec<Matchers>,
    /// Exporters that speak about other objects: patterns for their `job`, `service` or `container`. Several patterns in
    /// one list are names of one exporter.
    pub observers: Vec<OneOrMany>,
    /// Rules, tried in order before the built-in ones.
    pub rules: Vec<RuleDocument>,
    /// The clusters that signals may name; empty: any. See [`TargetScope`](super::TargetScope).
    pub clusters: Vec<String>,
    /// Patterns of the namespaces whose objects no signal may be about.
    #[serde(rename = "denyNamespaces")]
    pub deny_namespaces: Vec<String>,
    /// How the sidecar finds the workload that an RR names. See [`Resolution`](super::Resolution).
    pub resolve: Resolve,
    /// What becomes of a signal whose target exists nowhere.
    pub missing: Missing,
    /// The names of the cluster that the sidecar is in; empty: every name is one.
    #[serde(rename = "localClusters")]
    pub local_clusters: Vec<String>,
}

/// How the workload that an RR names is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolve {
    /// By reads of the API server: what exists.
    #[default]
    Verify,
    /// By names alone, as far as they are certain.
    Derive,
    /// Not at all: the object that the signal names.
    Named,
}

/// What becomes of a signal whose target exists nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// An RR that names it as the signal does.
    #[default]
    Create,
    /// No RR: the signal is rejected.
    Reject,
}

/// One rule: which alerts it is for, and which of their labels name the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDocument {
    /// The labels that the alert must have; empty: every alert.
    #[serde(default)]
    pub when: Matchers,
    /// The target's kind.
    pub kind: KindDocument,
    /// The labels that hold the target's name.
    pub name: NameDocument,
    /// The labels that may hold its namespace, the first that is present; empty: the target is cluster-scoped.
    #[serde(default = "namespace")]
    pub namespace: OneOrMany,
    /// The labels that may hold its cluster, the first that is present; empty: no label does.
    #[serde(default = "cluster")]
    pub cluster: OneOrMany,
}

fn namespace() -> OneOrMany {
    OneOrMany::one("namespace")
}

fn cluster() -> OneOrMany {
    OneOrMany::one("cluster")
}

/// One text, or a list of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct OneOrMany(pub Vec<String>);

impl OneOrMany {
    fn one(text: &str) -> Self {
        Self(vec![text.to_owned()])
    }
}

/// Labels with the patterns of which their values must match one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Matchers(pub BTreeMap<String, OneOrMany>);

/// A kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum KindDocument {
    /// This kind.
    Literal(String),
    /// The kind that a label holds.
    Label {
        /// The label.
        label: String,
    },
}

/// Where a name is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum NameDocument {
    /// The first that is present.
    First(Vec<NamePart>),
    /// All of them, joined with `/`.
    Join {
        /// The parts; each must be present.
        join: Vec<NamePart>,
    },
}

/// A label that holds a name, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum NamePart {
    /// The label's value.
    Label(String),
    /// The host in the label's value: without scheme, port and path.
    Host {
        /// The label.
        host: String,
    },
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor)
    }
}

struct OneOrManyVisitor;

impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("a string or a list of strings")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany, E> {
        Ok(OneOrMany::one(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OneOrMany, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMany)
    }
}

impl<'de> Deserialize<'de> for Matchers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MatchersVisitor)
    }
}

struct MatchersVisitor;

impl<'de> Visitor<'de> for MatchersVisitor {
    type Value = Matchers;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("labels with their values")
    }

    /// Parsers differ in what they make of a key that is there twice, so it is an error here.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Matchers, A::Error> {
        let mut labels = BTreeMap::new();
        while let Some((label, patterns)) = map.next_entry::<String, OneOrMany>()? {
            if labels.contains_key(&label) {
                return Err(A::Error::custom(format_args!("duplicate label `{label}`")));
            }
            labels.insert(label, patterns);
        }
        Ok(Matchers(labels))
    }
}

impl<'de> Deserialize<'de> for KindDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = KindDocument;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("a kind, or {label: <the label that holds it>}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<KindDocument, E> {
        Ok(KindDocument::Literal(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KindDocument, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct OfLabel {
            label: String,
        }
        let OfLabel { label } = OfLabel::deserialize(MapAccessDeserializer::new(map))?;
        Ok(KindDocument::Label { label })
    }
}

impl<'de> Deserialize<'de> for NameDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = NameDocument;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("a label, a list of labels, or {join: [<labels>]}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<NameDocument, E> {
        Ok(NameDocument::First(vec![NamePart::Label(text.to_owned())]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<NameDocument, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(NameDocument::First)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NameDocument, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Join {
            join: Vec<NamePart>,
        }
        let Join { join } = Join::deserialize(MapAccessDeserializer::new(map))?;
        Ok(NameDocument::Join { join })
    }
}

impl<'de> Deserialize<'de> for NamePart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NamePartVisitor)
    }
}

struct NamePartVisitor;

impl<'de> Visitor<'de> for NamePartVisitor {
    type Value = NamePart;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("a label, or {host: <the label whose value has a host>}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<NamePart, E> {
        Ok(NamePart::Label(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NamePart, A::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Host {
            host: String,
        }
        let Host { host } = Host::deserialize(MapAccessDeserializer::new(map))?;
        Ok(NamePart::Host { host })
    }
}
