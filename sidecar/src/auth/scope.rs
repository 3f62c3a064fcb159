//! Where a sender needs the right to signal about a target.

use onceway_signal::Signal;

/// Built-in kinds without a namespace. A signal that names a namespace for one of them, or another API group, still needs
/// the right for the whole cluster: whoever reads the RR may go by the kind alone. (`Namespace` is not among them: its
/// scope is its own name.)
const CLUSTER_SCOPED: [&str; 35] = [
    "APIService",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterTrustBundle",
    "ComponentStatus",
    "CSIDriver",
    "CSINode",
    "CustomResourceDefinition",
    "DeviceClass",
    "DeviceTaintRule",
    "FlowSchema",
    "GatewayClass",
    "IngressClass",
    "IPAddress",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Node",
    "PersistentVolume",
    "PodSecurityPolicy",
    "PriorityClass",
    "PriorityLevelConfiguration",
    "ResourceSlice",
    "RuntimeClass",
    "SelfSubjectReview",
    "ServiceCIDR",
    "StorageClass",
    "StorageVersion",
    "StorageVersionMigration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttachment",
    "VolumeAttributesClass",
];
const NAMESPACE: &str = "Namespace";
/// Kinds of widespread custom resources without a namespace, beside those whose names begin with [`CLUSTER`]. Which other
/// custom kinds have none, a signal does not tell.
const CUSTOM: [&str; 8] = [
    "AKSNodeClass",
    "EC2NodeClass",
    "MachineConfig",
    "MachineConfigPool",
    "NodeClaim",
    "NodeClass",
    "NodePool",
    "Project",
];
/// How the kinds of many custom resources without a namespace begin, and that of an alert that names no object.
const CLUSTER: &str = "cluster";

/// Where a sender needs the right to signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccessScope {
    /// In this namespace: that of the target, or the target itself if it is a namespace.
    Namespace(Box<str>),
    /// In the whole cluster.
    Cluster,
}

impl AccessScope {
    /// The scope of the target of a signal.
    pub fn of(signal: &Signal<'_>) -> Self {
        let target = &signal.target;
        // The RR names the resource, and the incident the target: a pod and its workload, a namespace and an alert's name.
        let resource = &signal.resource;
        let is = |kind: &str| [&target.kind, &resource.kind].iter().any(|named| named.eq_ignore_ascii_case(kind));
        let begins = |kind: &str| kind.get(..CLUSTER.len()).is_some_and(|start| start.eq_ignore_ascii_case(CLUSTER));
        let is_custom = CUSTOM.into_iter().any(is) || begins(&target.kind) || begins(&resource.kind);
        if target.namespace.is_empty() || is_custom || CLUSTER_SCOPED.into_iter().any(is) {
            return Self::Cluster;
        }
        let namespace = if resource.kind.eq_ignore_ascii_case(NAMESPACE) { &resource.name } else { &target.namespace };
        Self::Namespace(namespace.as_ref().into())
    }
}

#[cfg(test)]
mod tests {
    use onceway_signal::rules::Rules;
    use onceway_signal::{Origin, Source, decode};
    use serde_json::{Value, json};

    use super::AccessScope;

    fn scope(source: Source, body: &Value) -> AccessScope {
        let body = body.to_string();
        let payload = decode(Rules::built_in(), Origin::of(source), body.as_bytes()).unwrap();
        AccessScope::of(payload.entries()[0].signal.as_ref().unwrap())
    }

    fn of_alert(labels: Value) -> AccessScope {
        let mut labels = labels;
        labels["alertname"] = json!("A");
        scope(Source::Prometheus, &json!({"alerts": [{"status": "firing", "labels": labels}]}))
    }

    fn of_event(object: Value) -> AccessScope {
        let event = json!({"kind": "Event", "type": "Warning", "reason": "R", "involvedObject": object});
        scope(Source::KubernetesEvent, &event)
    }

    fn namespace(name: &str) -> AccessScope {
        AccessScope::Namespace(name.into())
    }

    #[test]
    fn the_scope_of_an_object_is_its_namespace() {
        assert_eq!(of_alert(json!({"namespace": "shop", "deployment": "api"})), namespace("shop"));
        assert_eq!(of_alert(json!({"namespace": "shop"})), namespace("shop"));
        assert_eq!(of_event(json!({"kind": "Pod", "namespace": "shop", "name": "api-0"})), namespace("shop"));
    }

    #[test]
    fn what_has_no_namespace_is_of_the_cluster() {
        assert_eq!(of_alert(json!({"node": "worker-1"})), AccessScope::Cluster);
        assert_eq!(of_alert(json!({})), AccessScope::Cluster);
        assert_eq!(of_event(json!({"kind": "ClusterRoleBinding", "name": "cluster-admin"})), AccessScope::Cluster);
    }

    #[test]
    fn a_namespace_beside_a_cluster_scoped_kind_gives_no_right() {
        for kind in ["ClusterIssuer", "ClusterScope", "NodePool", "nodeclaim", "MachineConfig"] {
            let object = json!({"kind": kind, "namespace": "shop", "name": "x", "apiVersion": "example.com/v1"});
            assert_eq!(of_event(object), AccessScope::Cluster, "{kind}");
        }
        for kind in ["Node", "PersistentVolume", "ClusterRoleBinding", "CustomResourceDefinition", "clusterrole"] {
            for version in [json!(null), json!("v1"), json!("example.com/v1")] {
                let object = json!({"kind": kind, "namespace": "shop", "name": "x", "apiVersion": version});
                assert_eq!(of_event(object), AccessScope::Cluster, "{kind} {version}");
            }
        }
    }

    #[test]
    fn the_scope_of_a_namespace_is_its_own_name() {
        for version in [json!(null), json!("v1"), json!("example.com/v1")] {
            let object = json!({"kind": "Namespace", "namespace": "mine", "name": "other", "apiVersion": version});
            assert_eq!(of_event(object), namespace("other"), "{version}");
        }
    }
}
