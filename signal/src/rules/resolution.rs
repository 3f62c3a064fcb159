//! How the sidecar finds the workload that a new RR names, `spec.targetResource`. No part of it affects a fingerprint, so it is
//! no part of the rules' hash; in the filter the keys are only read, so that one document serves both.

use super::compile::{Checked, cluster_names};
use super::document::{Document, Missing, Resolve};

/// See the module documentation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// How the workload is found.
    pub resolve: Resolve,
    /// What becomes of a signal without one.
    pub missing: Missing,
    local_clusters: Box<[Box<str>]>,
}

impl Resolution {
    pub(super) fn compile(document: &Document) -> Checked<Self> {
        let local_clusters = cluster_names("localClusters", &document.local_clusters)?;
        Ok(Self { resolve: document.resolve, missing: document.missing, local_clusters })
    }

    /// Whether a signal that names this cluster is about the cluster that the sidecar is in. One that names none is.
    #[must_use]
    pub fn is_local(&self, cluster: Option<&str>) -> bool {
        let names = |cluster: &str| self.local_clusters.iter().any(|name| **name == *cluster);
        self.local_clusters.is_empty() || cluster.is_none_or(names)
    }
}
