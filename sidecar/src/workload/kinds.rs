//! The kinds whose objects the sidecar may read: the workloads, and what alerts name besides them. No Secrets and no
//! ConfigMaps: RBAC cannot grant the metadata of an object alone.

/// A kind of the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name.
    pub kind: &'static str,
    /// Its API group; empty: core.
    pub group: &'static str,
    version: &'static str,
    /// The resource that serves it, in the plural.
    pub resource: &'static str,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
}

/// Every kind that is read. The ClusterRole `targets` of `deploy/chart` grants `get` on exactly these.
pub const KINDS: [Kind; 17] = [
    core("Pod", "pods"),
    core("ReplicationController", "replicationcontrollers"),
    core("Service", "services"),
    core("PersistentVolumeClaim", "persistentvolumeclaims"),
    cluster_scoped("Node", "nodes"),
    cluster_scoped("PersistentVolume", "persistentvolumes"),
    cluster_scoped("Namespace", "namespaces"),
    of("apps", "v1", "Deployment", "deployments"),
    of("apps", "v1", "ReplicaSet", "replicasets"),
    of("apps", "v1", "StatefulSet", "statefulsets"),
    of("apps", "v1", "DaemonSet", "daemonsets"),
    of("batch", "v1", "Job", "jobs"),
    of("batch", "v1", "CronJob", "cronjobs"),
    of("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    of("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    of("networking.k8s.io", "v1", "Ingress", "ingresses"),
    of("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
];

const fn of(group: &'static str, version: &'static str, kind: &'static str, resource: &'static str) -> Kind {
    Kind { kind, group, version, resource, namespaced: true }
}

const fn core(kind: &'static str, resource: &'static str) -> Kind {
    of("", "v1", kind, resource)
}

const fn cluster_scoped(kind: &'static str, resource: &'static str) -> Kind {
    Kind { namespaced: false, ..core(kind, resource) }
}

/// The kind of this name in the group of `api_version`; without one, in any group.
pub(super) fn find(kind: &str, api_version: Option<&str>) -> Option<&'static Kind> {
    let group = api_version.map(|version| version.split_once('/').map_or("", |(group, _)| group));
    KINDS.iter().find(|known| known.kind == kind && group.is_none_or(|group| known.group == group))
}

/// Whether objects of this kind are in no namespace. Whoever may create a pod can write any controller into it, and a node or
/// another namespace is not that pod's to name: such a controller is none. (Static pods refer to their node.)
pub(super) fn is_cluster_scoped(kind: &str, api_version: Option<&str>) -> bool {
    find(kind, api_version).is_some_and(|kind| !kind.namespaced)
}

impl Kind {
    /// `apps/v1`, or `v1` of the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The path of its objects, without the name; `None` if a namespace is missing.
    pub(super) fn path(&self, namespace: Option<&str>) -> Option<String> {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let root = format!("{root}/{}", self.api_version());
        if self.namespaced {
            namespace.map(|namespace| format!("{root}/namespaces/{namespace}/{}", self.resource))
        } else {
            Some(format!("{root}/{}", self.resource))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_kind_is_found_by_its_name_and_the_group_of_its_version() {
        for (kind, api_version, found) in [
            ("Deployment", None, Some("apps/v1")),
            ("Deployment", Some("apps/v1beta2"), Some("apps/v1")),
            ("Node", Some("v1"), Some("v1")),
            ("Node", Some("longhorn.io/v1beta2"), None),
            ("Deployment", Some("v1"), None),
            ("Secret", None, None),
            ("deployment", None, None),
        ] {
            assert_eq!(
                find(kind, api_version).map(|kind| kind.api_version()).as_deref(),
                found,
                "{kind} {api_version:?}"
            );
        }
    }

    #[test]
    fn a_path_has_the_namespace_where_the_kind_has_one() {
        let path = |kind, namespace| find(kind, None).unwrap().path(namespace);
        assert_eq!(path("Job", Some("prod")).as_deref(), Some("/apis/batch/v1/namespaces/prod/jobs"));
        assert_eq!(path("Pod", Some("prod")).as_deref(), Some("/api/v1/namespaces/prod/pods"));
        assert_eq!(path("Node", Some("prod")).as_deref(), Some("/api/v1/nodes"));
        assert_eq!(path("Pod", None), None);
    }
}
