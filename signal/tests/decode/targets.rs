//! From an alert's labels to its target.

use serde_json::{Value, json};

use crate::support::{decode_event, event, only, signal_of, target_of, webhook_of};

/// The labels that can name a target, the most specific first, with the target of each alone.
const ORDER: [(&str, &str); 19] = [
    ("deployment", "ns:Deployment:x"),
    ("statefulset", "ns:StatefulSet:x"),
    ("daemonset", "ns:DaemonSet:x"),
    ("cronjob", "ns:CronJob:x"),
    ("job_name", "ns:Job:x"),
    ("replicaset", "ns:ReplicaSet:x"),
    ("rollout", "ns:Rollout:x"),
    ("horizontalpodautoscaler", "ns:HorizontalPodAutoscaler:x"),
    ("poddisruptionbudget", "ns:PodDisruptionBudget:x"),
    ("resourcequota", "ns:ResourceQuota:x"),
    ("persistentvolumeclaim", "ns:PersistentVolumeClaim:x"),
    ("persistentvolume", ":PersistentVolume:x"),
    ("ingress", "ns:Ingress:x"),
    ("networkpolicy", "ns:NetworkPolicy:x"),
    ("certificate", "ns:Certificate:x"),
    ("pod", "ns:Pod:x"),
    ("node", ":Node:x"),
    ("service", "ns:Service:x"),
    ("job", "ns:Service:x"),
];

fn labels(names: impl IntoIterator<Item = &'static str>) -> Value {
    let mut labels = json!({"alertname": "A", "namespace": "ns"});
    for name in names {
        labels[name] = "x".into();
    }
    labels
}

#[test]
fn each_label_names_its_kind() {
    for (label, target) in ORDER {
        assert_eq!(target_of(labels([label])), target);
    }
}

#[test]
fn the_most_specific_label_takes_precedence() {
    for (first, (_, target)) in ORDER.iter().enumerate() {
        assert_eq!(target_of(labels(ORDER[first..].iter().map(|(label, _)| *label))), *target);
    }
}

#[test]
fn an_alert_without_an_object_is_about_its_namespace_else_a_host_else_nothing() {
    let alert = |labels: Value| {
        let mut labels = labels;
        labels["alertname"] = "A".into();
        target_of(labels)
    };
    assert_eq!(alert(json!({"namespace": "ns", "instance": "10.0.0.1:80", "endpoint": "e"})), "ns:NamespaceScope:A");
    assert_eq!(alert(json!({"instance": "10.0.0.1:80", "job": "j"})), ":Instance:10.0.0.1");
    assert_eq!(alert(json!({"host": "rabbit-1"})), ":Instance:rabbit-1");
    assert_eq!(alert(json!({})), ":ClusterScope:A");
    assert_eq!(alert(json!({"cluster": "east-1"})), "east-1::ClusterScope:A");
}

#[test]
fn alerts_of_one_namespace_are_different_incidents_by_their_names() {
    let target = |name: &str| target_of(json!({"alertname": name, "namespace": "ns"}));
    assert_ne!(target("A"), target("B"));
}

#[test]
fn a_kubelet_without_a_node_label_is_about_the_node_at_its_address() {
    let of = |labels: Value| {
        let mut labels = labels;
        (labels["alertname"], labels["job"]) = (json!("A"), json!("kubelet"));
        target_of(labels)
    };
    assert_eq!(of(json!({"instance": "10.0.0.33:10250", "namespace": "kube-system"})), ":Node:10.0.0.33");
    assert_eq!(of(json!({"instance": "10.0.0.33:10250", "node": "worker-1"})), ":Node:worker-1");
    let pod = json!({"instance": "10.0.0.33:10250", "namespace": "prod", "pod": "db-0", "container": "db"});
    assert_eq!(of(pod), "prod:StatefulSet:db");
}

#[test]
fn renamed_labels_are_believed_of_an_observer_alone() {
    let labels = |job: &str| json!({"alertname": "A", "job": job, "namespace": "monitoring", "exported_namespace": "prod", "deployment": "d"});
    assert_eq!(target_of(labels("kube-state-metrics")), "prod:Deployment:d");
    assert_eq!(target_of(labels("shop-backend")), "monitoring:Deployment:d");
}

#[test]
fn a_label_that_names_another_namespace_is_believed_of_an_observer_alone() {
    let labels = |job: &str| json!({"alertname": "A", "job": job, "namespace": "shop", "pvc": "etcd-data", "pvc_namespace": "kube-system"});
    assert_eq!(target_of(labels("longhorn-backend")), "kube-system:PersistentVolumeClaim:etcd-data");
    assert_eq!(target_of(labels("shop-backend")), "shop:Service:shop-backend");
}

#[test]
fn a_workload_without_a_namespace_has_an_empty_namespace_in_its_text() {
    assert_eq!(target_of(json!({"alertname": "A", "deployment": "d"})), ":Deployment:d");
}

#[test]
fn a_node_has_no_namespace_whatever_the_labels_say() {
    let fqdn = "ip-10-0-3-17.eu-central-1.compute.internal";
    for node in ["worker-node-1", fqdn] {
        let expected = format!(":Node:{node}");
        assert_eq!(target_of(json!({"alertname": "A", "node": node})), expected);
        assert_eq!(target_of(json!({"alertname": "A", "node": node, "namespace": "monitoring"})), expected);
        let exported = json!({"alertname": "A", "node": node, "exported_namespace": "kube-system"});
        assert_eq!(target_of(exported), expected);
    }
}

#[test]
fn an_empty_label_counts_as_absent() {
    let labels = json!({"alertname": "A", "cluster": "", "namespace": "ns", "deployment": "", "pod": "", "node": "n"});
    assert_eq!(target_of(labels), ":Node:n");
    assert_eq!(target_of(json!({"alertname": "A", "namespace": ""})), ":ClusterScope:A");
    let exported =
        json!({"alertname": "A", "job": "kubelet", "namespace": "prod", "exported_namespace": "", "pod": "d"});
    assert_eq!(target_of(exported), "prod:Pod:d");
}

#[test]
fn the_cluster_label_is_part_of_the_identity() {
    let labels = json!({"alertname": "A", "cluster": "east-1", "namespace": "prod", "deployment": "payment-api"});
    assert_eq!(target_of(labels), "east-1:prod:Deployment:payment-api");
}

#[test]
fn alert_name_severity_and_other_labels_are_not_part_of_the_identity() {
    let one = json!({"alertname": "A", "severity": "critical", "namespace": "ns", "deployment": "d", "team": "t"});
    let other = json!({"alertname": "B", "namespace": "ns", "deployment": "d", "pod": "d-7d4b8c9f5d-x2k4z"});
    assert_eq!(target_of(one), target_of(other));
}

#[test]
fn the_resource_is_the_object_that_the_signal_names() {
    let body = webhook_of(json!({"alertname": "A", "namespace": "prod", "pod": "payment-api-7d4b8c9f5d-x2k4z"}));
    let signal = signal_of(&body);
    assert_eq!((&*signal.resource.kind, &*signal.resource.name), ("Pod", "payment-api-7d4b8c9f5d-x2k4z"));
    assert_eq!(signal.resource.namespace.as_deref(), Some("prod"));
    assert_eq!(signal.resource.api_version, None);
    assert_eq!(signal.target.to_string(), "prod:Deployment:payment-api");
}

#[test]
fn the_resource_of_an_alert_about_a_namespace_is_that_namespace() {
    let body = webhook_of(json!({"alertname": "A", "namespace": "prod"}));
    let signal = signal_of(&body);
    assert_eq!((&*signal.resource.kind, &*signal.resource.name), ("Namespace", "prod"));
    assert_eq!(signal.target.to_string(), "prod:NamespaceScope:A");
}

#[test]
fn the_resource_of_a_namespace_or_a_node_has_no_namespace() {
    for labels in [json!({"namespace": "prod"}), json!({"namespace": "prod", "node": "n"}), json!({})] {
        let mut labels = labels;
        labels["alertname"] = "A".into();
        assert_eq!(signal_of(&webhook_of(labels)).resource.namespace, None);
    }
}

#[test]
fn alerts_and_events_about_one_object_are_one_incident() {
    for (labels, object) in [
        (
            json!({"alertname": "A", "namespace": "prod", "pod": "api-7d4b8c9f5d-x2k4z"}),
            json!({"kind": "Pod", "namespace": "prod", "name": "api-7d4b8c9f5d-b5w2x"}),
        ),
        (json!({"alertname": "A", "node": "n", "namespace": "prod"}), json!({"kind": "Node", "name": "n"})),
    ] {
        let event = event(object).to_string();
        let signal = only(&decode_event(&event)).signal.unwrap();
        assert_eq!(signal.target.to_string(), target_of(labels));
    }
}
