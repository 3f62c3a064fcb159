//! Which targets signals may be about, whatever their rules say: the accepted clusters, and the denied namespaces.
//!
//! Only the sidecar enforces it. A rejected signal needs a response that says so, and the owner of its fingerprint gives it;
//! in the filter the keys are only read, so that one document serves both. They do not affect a fingerprint, so they are no
//! part of the rules' hash.

use super::compile::{Checked, bounded, cluster_names, error, pattern};
use super::document::Document;
use super::pattern::Pattern;
use crate::error::Rejection;
use crate::limits::MAX_DENIED_NAMESPACES;
use crate::target::{NAMESPACE, Resource, Target};

/// The clusters and namespaces that signals may be about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetScope {
    /// The accepted clusters; empty: any.
    clusters: Box<[Box<str>]>,
    denied_namespaces: Box<[Pattern]>,
}

impl TargetScope {
    pub(super) fn compile(document: &Document) -> Checked<Self> {
        let Document { clusters, deny_namespaces, .. } = document;
        bounded("denyNamespaces", deny_namespaces.len(), MAX_DENIED_NAMESPACES)?;
        let denied = |(index, text): (usize, &String)| {
            let path = format!("denyNamespaces[{index}]");
            if text.is_empty() {
                return error(path, "is empty; write a namespace, or a pattern with `*` at either end");
            }
            pattern(&path, text)
        };
        Ok(Self {
            clusters: cluster_names("clusters", clusters)?,
            denied_namespaces: deny_namespaces.iter().enumerate().map(denied).collect::<Checked<_>>()?,
        })
    }

    /// Whether a signal that names this cluster and this object may be about this target. A signal that names no cluster is in
    /// the scope of `clusters`, and a target without a namespace in that of `denyNamespaces`.
    ///
    /// # Errors
    /// [`Rejection::Cluster`] or [`Rejection::Namespace`].
    pub fn check(&self, cluster: Option<&str>, resource: &Resource<'_>, target: &Target<'_>) -> Result<(), Rejection> {
        if let Some(cluster) = cluster
            && !self.clusters.is_empty()
            && !self.clusters.iter().any(|accepted| **accepted == *cluster)
        {
            return Err(Rejection::Cluster { cluster: cluster.to_owned() });
        }
        let is_denied = |namespace: &str| {
            !namespace.is_empty() && self.denied_namespaces.iter().any(|denied| denied.matches(namespace))
        };
        // A namespace is in itself, whatever namespace the signal names beside it.
        let itself = resource.kind.eq_ignore_ascii_case(NAMESPACE).then_some(&*resource.name);
        match [Some(&*target.namespace), itself].into_iter().flatten().find(|name| is_denied(name)) {
            Some(namespace) => Err(Rejection::Namespace { namespace: namespace.to_owned() }),
            None => Ok(()),
        }
    }
}
