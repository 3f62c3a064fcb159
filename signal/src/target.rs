//! From the object that a signal names to the target of its incident.

use std::borrow::Cow;
use std::fmt::{Display, Formatter, Result as FmtResult};

use sha2::{Digest, Sha256};

use crate::error::Rejection;
use crate::fingerprint::Fingerprint;
use crate::limits::MAX_NAMESPACE;

mod pod;
pub(crate) mod table;

/// Kinds of the core API that have no namespace, whatever a label or an event says. (For other groups the event
/// decides: a kind of the same name may have a namespace, as Longhorn's Node does.)
const CLUSTER_SCOPED: [&str; 3] = [NAMESPACE, "Node", "PersistentVolume"];

/// The kind of a namespace itself.
pub(crate) const NAMESPACE: &str = "Namespace";

/// The object that a signal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The object's kind; "ClusterScope" if an alert names no object.
    pub kind: Cow<'a, str>,
    /// The object's name; the alert's name if the kind is "ClusterScope".
    pub name: Cow<'a, str>,
    /// The object's namespace; `None` if the object is cluster-scoped or the signal names none.
    pub namespace: Option<Cow<'a, str>>,
    /// The object's API version, which an event names and an alert does not.
    pub api_version: Option<Cow<'a, str>>,
}

impl<'a> Resource<'a> {
    /// Removes the namespace of a cluster-scoped object, and rejects one that is too long; `field` is its path in the
    /// signal.
    pub(crate) fn scoped(mut self, field: &'static str) -> Result<Self, Rejection> {
        let cluster_scoped = self.is_core() && CLUSTER_SCOPED.contains(&&*self.kind);
        let namespace = self.namespace.filter(|_| !cluster_scoped);
        self.namespace = namespace.map(|namespace| bounded(field, namespace, MAX_NAMESPACE)).transpose()?;
        Ok(self)
    }

    fn is_core(&self) -> bool {
        matches!(self.api_version.as_deref(), None | Some("v1"))
    }

    /// The target: a pod's workload, or the object itself.
    pub(crate) fn target(&self) -> Target<'a> {
        let namespace = match &self.namespace {
            Some(namespace) => namespace.clone(),
            None if self.is_core() && self.kind == NAMESPACE => self.name.clone(),
            None => Cow::Borrowed(""),
        };
        let workload = if self.is_core() && self.kind == "Pod" { pod::workload(&self.name) } else { None };
        let (kind, name) = workload.unwrap_or_else(|| (self.kind.clone(), self.name.clone()));
        Target { namespace, kind, name }
    }
}

/// The object that an incident is about: a workload, a node, a namespace. Shown as `<namespace>:<Kind>:<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The namespace; empty if cluster-scoped; a namespace's own name.
    pub namespace: Cow<'a, str>,
    /// The kind; never empty.
    pub kind: Cow<'a, str>,
    /// The name; never empty.
    pub name: Cow<'a, str>,
}

impl Target<'_> {
    /// SHA-256 of `[<cluster>:]<namespace>:<Kind>:<name>`.
    #[must_use]
    pub fn fingerprint(&self, cluster: Option<&str>) -> Fingerprint {
        let mut hash = Sha256::new();
        if let Some(cluster) = cluster {
            hash.update(cluster);
            hash.update(":");
        }
        for part in [&*self.namespace, ":", &*self.kind, ":", &*self.name] {
            hash.update(part);
        }
        Fingerprint::new(hash.finalize().into())
    }

    /// Rejects a target whose text is also that of another target.
    ///
    /// The text has no escapes, but labels are free text, and real ones hold colons: a cluster may be named by an ARN,
    /// an alert `Disk: full`. An accepted text can be split in one way only: from the left up to the kind if the text
    /// begins with a colon (no cluster, no namespace), from the first `::` if there is one (a cluster, no namespace),
    /// else from the right.
    pub(crate) fn unambiguous(&self, cluster: Option<&str>) -> Result<(), Rejection> {
        let cluster = cluster.unwrap_or_default();
        let part = if cluster.starts_with(':') || cluster.ends_with(':') || cluster.contains("::") {
            "cluster"
        } else if self.namespace.contains(':') {
            "namespace"
        } else if self.kind.contains(':') {
            "kind"
        } else if !self.namespace.is_empty() && self.name.contains(':') {
            "name"
        } else {
            return Ok(());
        };
        let target = if cluster.is_empty() { self.to_string() } else { format!("{cluster}:{self}") };
        Err(Rejection::Ambiguous { part, target })
    }
}

impl Display for Target<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(f, "{}:{}:{}", self.namespace, self.kind, self.name)
    }
}

/// A part of the identity, or a rejection if it has more characters than `limit`.
pub(crate) fn bounded<'a>(field: impl Display, text: Cow<'a, str>, limit: usize) -> Result<Cow<'a, str>, Rejection> {
    // A character has at least one byte, so a short text needs no count.
    let length = if text.len() <= limit { text.len() } else { text.chars().count() };
    if length <= limit { Ok(text) } else { Err(Rejection::TooLong { field: field.to_string(), length, limit }) }
}
