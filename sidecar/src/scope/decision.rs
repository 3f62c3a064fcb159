//! Whether a target is in scope, by its label: that of the object, else that of its namespace; `true` or `false`, and any other
//! value is as none. A target without either is out of scope, and so is one of another cluster, whose labels nobody here knows.

use onceway_signal::rules::Resolution;

use super::namespaces::Namespaces;
use crate::workload::{Found, Named};

/// Whether a target is in scope.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is.
    Managed,
    /// It is not.
    Unmanaged,
    /// A label could not be read.
    Unknown {
        /// Why.
        cause: String,
    },
}

/// Decides about what a signal named and what was found for it.
pub(super) async fn decide(named: &Named, found: &Found, resolution: &Resolution, namespaces: &Namespaces) -> Decision {
    if !resolution.is_local(named.cluster.as_deref()) {
        return Decision::Unmanaged;
    }
    if found.how.is_uncertain() {
        let cause = format!("the target's labels are not known ({})", found.how.label());
        return Decision::Unknown { cause };
    }
    let managed = match (found.managed, named.namespace()) {
        (Some(managed), _) => Some(managed),
        (None, None) => None,
        (None, Some(namespace)) => match namespaces.managed(namespace).await {
            Ok(managed) => managed,
            Err(cause) => return Decision::Unknown { cause: format!("namespace {namespace}: {cause}") },
        },
    };
    if managed == Some(true) { Decision::Managed } else { Decision::Unmanaged }
}
