//! From the object that a signal names to the target of its incident.

use std::borrow::Cow;
use std::fmt::{Display, Formatter, Result as FmtResult};

use sha2::{Digest, Sha256};

use crate::error::Rejection;
use crate::fingerprint::Fingerprint;

mod generated;
mod grammar;

use self::generated::owner;
pub(crate) use self::generated::workload_of;
pub(crate) use self::grammar::{Grammar, is_api_kind, is_kind};

/// Kinds of the core API that have no namespace, whatever a label or an event says. (For other groups the event
/// decides: a kind of the same name may have a namespace, as Longhorn's Node does.)
const CLUSTER_SCOPED: [&str; 3] = [NAMESPACE, "Node", "PersistentVolume"];

/// The kind of a namespace itself.
pub(crate) const NAMESPACE: &str = "Namespace";

/// The object that a signal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The object's kind; "ClusterScope" if an alert names no object, "Instance" if it names a host outside the cluster.
    pub kind: Cow<'a, str>,
    /// The object's name; the alert's name if the kind is "ClusterScope".
    pub name: Cow<'a, str>,
    /// The object's namespace; `None` if the object is cluster-scoped or the signal names none.
    pub namespace: Option<Cow<'a, str>>,
    /// The object's API version, which an event names and an alert does not.
    pub api_version: Option<Cow<'a, str>>,
}

impl<'a> Resource<'a> {
    /// Removes the namespace of a cluster-scoped object.
    pub(crate) fn without_needless_namespace(mut self) -> Self {
        if self.is_core() && CLUSTER_SCOPED.contains(&&*self.kind) {
            self.namespace = None;
        }
        self
    }

    pub(crate) fn is_core(&self) -> bool {
        self.is_of_group(|version| version == "v1")
    }

    /// Whether the API version is absent or accepted.
    fn is_of_group(&self, accepts: impl FnOnce(&str) -> bool) -> bool {
        self.api_version.as_deref().is_none_or(accepts)
    }

    /// The target: the workload that the object belongs to by its generated name, or the object itself.
    #[must_use]
    pub fn target(&self) -> Target<'a> {
        let namespace = match &self.namespace {
            Some(namespace) => namespace.clone(),
            None if self.is_core() && self.kind == NAMESPACE => self.name.clone(),
            None => Cow::Borrowed(""),
        };
        let is_of_its_group = match &*self.kind {
            "Pod" => self.is_core(),
            "Job" => self.is_of_group(|version| version.starts_with("batch/")),
            _ => self.is_of_group(|version| version.starts_with("apps/")),
        };
        let owner = if is_of_its_group { self.owner() } else { None };
        let (kind, name) = owner.unwrap_or_else(|| (self.kind.clone(), self.name.clone()));
        Target { namespace, kind, name }
    }

    fn owner(&self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let namespace = self.namespace.as_deref();
        let owned = |(kind, name): (&'static str, Cow<'a, str>)| (Cow::Borrowed(kind), name);
        match &self.name {
            Cow::Borrowed(name) => owner(&self.kind, name, namespace).map(|(kind, name)| owned((kind, name.into()))),
            Cow::Owned(name) => {
                owner(&self.kind, name, namespace).map(|(kind, name)| owned((kind, name.to_owned().into())))
            }
        }
    }
}

/// The object that an incident is about: a workload, a node, a namespace. Shown as `<namespace>:<Kind>:<name>`; in the name
/// of an object with a namespace `:` is written `%3A`, and `%` is written `%25`.
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
        for part in [&*self.namespace, ":", &*self.kind, ":", &*self.shown_name()] {
            hash.update(part);
        }
        Fingerprint::new(hash.finalize().into())
    }

    /// The name as the target's text has it.
    fn shown_name(&self) -> Cow<'_, str> {
        if self.namespace.is_empty() || !self.name.bytes().any(|byte| byte == b':' || byte == b'%') {
            return Cow::Borrowed(&self.name);
        }
        Cow::Owned(self.name.replace('%', "%25").replace(':', "%3A"))
    }

    /// Rejects a target whose text is also that of another target.
    ///
    /// Labels are free text, and real ones hold colons: a cluster may be named by an ARN, an alert `Disk: full`. An
    /// accepted text can be split in one way only: from the left up to the kind if the text begins with a colon (no
    /// cluster, no namespace), from the first `::` if there is one (a cluster, no namespace), else from the right, where
    /// the name has no colon.
    pub(crate) fn unambiguous(&self, cluster: Option<&str>) -> Result<(), Rejection> {
        let part = if cluster.is_some_and(is_ambiguous) {
            "cluster"
        } else if has_colon(&self.namespace) {
            "namespace"
        } else if has_colon(&self.kind) {
            "kind"
        } else {
            return Ok(());
        };
        let target = cluster.map_or_else(|| self.to_string(), |cluster| format!("{cluster}:{self}"));
        Err(Rejection::Ambiguous { part, target })
    }
}

/// Texts are short: to search them byte by byte is cheaper than to set up a search.
fn has_colon(text: &str) -> bool {
    text.bytes().any(|byte| byte == b':')
}

/// Whether a cluster's name could be taken for the beginning of another target's text.
fn is_ambiguous(cluster: &str) -> bool {
    cluster.starts_with(':') || cluster.ends_with(':') || cluster.contains("::")
}

impl Display for Target<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> FmtResult {
        write!(f, "{}:{}:{}", self.namespace, self.kind, self.shown_name())
    }
}

/// A part of the identity, or a rejection if it has more characters than `limit`.
pub(crate) fn bounded<'a>(field: impl Display, text: Cow<'a, str>, limit: usize) -> Result<Cow<'a, str>, Rejection> {
    // A character has at least one byte, so a short text needs no count.
    let length = if text.len() <= limit { text.len() } else { text.chars().count() };
    if length <= limit { Ok(text) } else { Err(Rejection::TooLong { field: field.to_string(), length, limit }) }
}

/// The host in an address or a URL: without scheme, user, port and path. A text that is none of both is its own host.
pub(crate) fn host<'a>(address: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    match address {
        Cow::Borrowed(address) => host_of(address).map(Cow::Borrowed),
        Cow::Owned(address) => host_of(address).map(|host| Cow::Owned(host.to_owned())),
    }
}

fn host_of(address: &str) -> Option<&str> {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
    let host = if let Some(bracketed) = authority.strip_prefix('[') {
        bracketed.split(']').next().unwrap_or(bracketed)
    } else if let Some((host, port)) = authority.split_once(':')
        && !port.contains(':')
    {
        host
    } else {
        // A name, or an IPv6 address without a port.
        authority
    };
    if host.is_empty() { None } else { Some(host) }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_host_is_what_is_left_of_an_address_or_a_url() {
        for (address, host) in [
            ("worker-1", "worker-1"),
            ("10.0.0.33:9100", "10.0.0.33"),
            ("a.example:9100", "a.example"),
            ("[fd00::1]:9100", "fd00::1"),
            ("fd00::1", "fd00::1"),
            ("https://user:secret@shop.example:8443/health?x#y", "shop.example"),
            ("redis://r-0:6379", "r-0"),
        ] {
            assert_eq!(host_of(address), Some(host), "{address}");
        }
        for address in ["", ":9100", "http://", "[]:80", "/x"] {
            assert_eq!(host_of(address), None, "{address}");
        }
    }
}
