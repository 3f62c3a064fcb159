//! What a signal says about its target: all that is known before anything is read.

use onceway_signal::{Resource, Signal};

use super::kinds;
use super::read::Controller;
use crate::rr::{TargetResource, api_version};

/// The kinds whose objects have names that Kubernetes generates from their owner's.
const GENERATED: [&str; 4] = ["Pod", "Job", "ReplicaSet", "ReplicationController"];

/// The object that a signal names, and the owner that its name or the signal tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// The object itself.
    pub object: TargetResource,
    /// The cluster that the signal names.
    pub cluster: Option<String>,
    /// Its controller, if the signal says it (an event's `ownerReferences`).
    pub(super) owner: Option<Controller>,
    /// Kind and name of the workload that a generated name tells.
    pub(super) implied: Option<(String, String)>,
}

impl Named {
    /// What `signal` says.
    pub fn of(signal: &Signal<'_>) -> Self {
        let (resource, target) = (&signal.resource, &signal.target);
        let is_reduced = (&*target.kind, &*target.name) != (&*resource.kind, &*resource.name);
        let is_namespaced = !kinds::is_cluster_scoped(&target.kind, None);
        let implied = is_reduced && is_namespaced && GENERATED.contains(&&*resource.kind);
        Self {
            object: TargetResource::from(resource),
            cluster: signal.cluster.as_deref().map(str::to_owned),
            owner: signal.owner.as_ref().map(Controller::from).filter(|owner| !owner.is_cluster_scoped()),
            implied: implied.then(|| (target.kind.to_string(), target.name.to_string())),
        }
    }
}

impl Named {
    /// The namespace that it is in; of a Namespace its own.
    pub fn namespace(&self) -> Option<&str> {
        let is_namespace = kinds::find(&self.object.kind, self.object.api_version.as_deref());
        let is_namespace = is_namespace.is_some_and(|kind| kind.kind == "Namespace");
        if is_namespace { Some(&self.object.name) } else { self.object.namespace.as_deref() }
    }
}

impl From<&Resource<'_>> for Controller {
    fn from(resource: &Resource<'_>) -> Self {
        Self { kind: resource.kind.to_string(), name: resource.name.to_string(), api_version: api_version(resource) }
    }
}
