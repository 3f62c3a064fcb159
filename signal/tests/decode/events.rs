//! The Kubernetes Event.

use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Rejection, Signal, Source, State};
use serde_json::{Value, json};

use crate::support::{decode, decode_event, event, only, sha256};

fn pod() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "namespace": "prod", "name": "payment-api-7d4b8c9f5d-x2k4z", "uid": "u"})
}

fn signal(body: &str) -> Signal<'_> {
    only(&decode_event(body)).signal.expect("a signal")
}

fn target(object: Value) -> String {
    let body = event(object).to_string();
    let signal = signal(&body);
    assert_eq!(signal.fingerprint(), sha256(&signal.target.to_string()));
    signal.target.to_string()
}

#[test]
fn an_event_is_one_signal_about_its_involved_object() {
    let body = format!("\n{}\n", event(pod()));
    let payload = decode_event(&body);
    let entry = only(&payload);
    assert_eq!(entry.raw, body.trim());
    assert_eq!(payload.groups()[0].entries, [0]);
    let signal = entry.signal.unwrap();
    assert_eq!((signal.state, &*signal.name, &*signal.severity), (State::Firing, "BackOff", "Warning"));
    assert_eq!(signal.firing_time.as_deref(), Some("2026-08-01T10:00:00Z"));
    assert_eq!(signal.cluster, None);
    assert_eq!((&*signal.resource.kind, &*signal.resource.name), ("Pod", "payment-api-7d4b8c9f5d-x2k4z"));
    assert_eq!(signal.resource.namespace.as_deref(), Some("prod"));
    assert_eq!(signal.resource.api_version.as_deref(), Some("v1"));
    assert_eq!(signal.target.to_string(), "prod:Deployment:payment-api");
}

#[test]
fn pods_jobs_and_replica_sets_are_reduced_and_only_those_of_kubernetes() {
    for (version, kind, name, expected) in [
        ("apps/v1", "ReplicaSet", "web-7d4b8c9f5d", "p:Deployment:web"),
        ("sets.io/v1", "ReplicaSet", "web-7d4b8c9f5d", "p:ReplicaSet:web-7d4b8c9f5d"),
        ("batch/v1", "Job", "report-29456784", "p:CronJob:report"),
        ("batch.volcano.sh/v1", "Job", "report-29456784", "p:Job:report-29456784"),
    ] {
        let object = json!({"apiVersion": version, "kind": kind, "namespace": "p", "name": name});
        assert_eq!(target(object), expected);
    }
    let whale = json!({"apiVersion": "sea.io/v1", "kind": "Pod", "namespace": "atlantic", "name": "whales-0"});
    assert_eq!(target(whale), "atlantic:Pod:whales-0");
    let no_version = json!({"kind": "Pod", "namespace": "p", "name": "db-0"});
    assert_eq!(target(no_version), "p:StatefulSet:db");
}

#[test]
fn a_cluster_scoped_object_has_no_namespace_whatever_the_event_says() {
    for (kind, expected) in
        [("Node", ":Node:n"), ("PersistentVolume", ":PersistentVolume:n"), ("Namespace", "n:Namespace:n")]
    {
        for namespace in [json!("default"), json!(""), json!(null)] {
            let object = json!({"apiVersion": "v1", "kind": kind, "name": "n", "namespace": namespace});
            assert_eq!(target(object), expected);
        }
    }
    // Longhorn's Node has a namespace.
    let foreign = json!({"apiVersion": "longhorn.io/v1beta2", "kind": "Node", "name": "n", "namespace": "longhorn"});
    assert_eq!(target(foreign), "longhorn:Node:n");
}

#[test]
fn a_normal_event_is_resolved_and_any_other_type_fires() {
    for (type_, state, severity) in [
        (json!("Normal"), State::Resolved, "Normal"),
        (json!("Warning"), State::Firing, "Warning"),
        (json!("Error"), State::Firing, "Error"),
        (json!(""), State::Firing, "unknown"),
        (json!(null), State::Firing, "unknown"),
    ] {
        let mut event = event(pod());
        event["type"] = type_;
        let body = event.to_string();
        let signal = signal(&body);
        assert_eq!((signal.state, &*signal.severity), (state, severity));
    }
}

#[test]
fn a_lost_node_is_reported_as_normal_and_fires_all_the_same() {
    let state = |kind: &str, reason: &str, type_: &str| {
        let mut event = event(json!({"kind": kind, "name": "worker-1"}));
        (event["reason"], event["type"]) = (reason.into(), type_.into());
        signal(&event.to_string()).state
    };
    for reason in ["NodeNotReady", "NodeHasDiskPressure", "NodeHasInsufficientMemory", "NodeHasInsufficientPID"] {
        assert_eq!(state("Node", reason, "Normal"), State::Firing, "{reason}");
        assert_eq!(state("Deployment", reason, "Normal"), State::Resolved, "{reason}");
    }
    assert_eq!(state("Node", "RegisteredNode", "Normal"), State::Resolved);
    assert_eq!(state("Pod", "NodeNotReady", "Warning"), State::Resolved, "an echo of the node's own event");
    assert_eq!(state("Pod", "BackOff", "Warning"), State::Firing);
}

#[test]
fn an_owner_takes_precedence_over_the_name() {
    let with_owners = |kind: &str, name: &str, owners: Value| {
        target(json!({"kind": kind, "namespace": "p", "name": name, "ownerReferences": owners}))
    };
    let owner = |version: &str, kind: &str, name: &str, controller: bool| json!({"apiVersion": version, "kind": kind, "name": name, "controller": controller});
    let job = owner("batch/v1", "Job", "helm-install", true);
    assert_eq!(with_owners("Pod", "helm-install-nr78d", json!([job])), "p:Job:helm-install");
    let run = owner("batch/v1", "Job", "report-29456784", true);
    assert_eq!(with_owners("Pod", "report-29456784-nr78d", json!([run])), "p:CronJob:report");
    let set = owner("apps/v1", "ReplicaSet", "web-7d4b8c9f5d", true);
    assert_eq!(with_owners("Pod", "web-7d4b8c9f5d-x2k4z", json!([set])), "p:Deployment:web");
    let other = owner("v1", "ConfigMap", "web", false);
    assert_eq!(with_owners("Pod", "x", json!([other, set])), "p:Deployment:web", "the controller goes first");
    // A static pod is its node's, and stays a pod; an object that is no part of its owner stays itself.
    let node = owner("v1", "Node", "cp-1", true);
    let static_pod = json!({"kind": "Pod", "namespace": "kube-system", "name": "etcd-cp-1", "ownerReferences": [node]});
    assert_eq!(target(static_pod), "kube-system:Pod:etcd-cp-1");
    assert_eq!(with_owners("PersistentVolumeClaim", "data", json!([set])), "p:PersistentVolumeClaim:data");
    assert_eq!(with_owners("Pod", "db-0", json!([{}])), "p:StatefulSet:db");
    assert_eq!(with_owners("Pod", "db-0", json!(null)), "p:StatefulSet:db");
}

#[test]
fn the_object_of_an_event_of_events_k8s_io_is_regarding() {
    let mut event = event(pod());
    event["regarding"] = event["involvedObject"].take();
    for name in ["firstTimestamp", "lastTimestamp"] {
        event[name].take();
    }
    event["deprecatedFirstTimestamp"] = json!("2026-08-01T08:00:00Z");
    let body = event.to_string();
    let found = signal(&body);
    assert_eq!(found.target.to_string(), "prod:Deployment:payment-api");
    assert_eq!(found.firing_time.as_deref(), Some("2026-08-01T08:00:00Z"));
    event["regarding"]["name"] = json!(null);
    let rejection = only(&decode_event(&event.to_string())).signal.unwrap_err();
    assert_eq!(rejection, Rejection::Missing { field: "regarding.name" });
}

#[test]
fn the_cluster_is_in_the_body_or_else_in_the_path() {
    let mut event = event(pod());
    let of_path = Origin::new(Source::KubernetesEvent, Some("cluster=west-2")).unwrap();
    let cluster = |event: &Value, origin: &Origin| {
        let body = event.to_string();
        let payload = onceway_signal::decode(Rules::built_in(), origin, body.as_bytes()).unwrap();
        only(&payload).signal.unwrap().cluster.map(|cluster| cluster.into_owned())
    };
    assert_eq!(cluster(&event, &of_path).as_deref(), Some("west-2"));
    event["clusterName"] = json!("east-1");
    assert_eq!(cluster(&event, &of_path).as_deref(), Some("east-1"));
    assert_eq!(cluster(&event, Origin::of(Source::KubernetesEvent)).as_deref(), Some("east-1"));
}

#[test]
fn another_layout_is_named_in_the_error() {
    for (source, body, seen) in [
        (Source::KubernetesEvent, r#"{"type":"ADDED","object":{"kind":"Event"}}"#, "a frame of a Kubernetes watch"),
        (Source::KubernetesEvent, r#"{"kind":"EventList","items":[]}"#, "a list of Kubernetes objects"),
        (Source::KubernetesEvent, r#"{"eventmeta":{},"text":"t"}"#, "a notification of kubewatch"),
        (Source::KubernetesEvent, r#"{"streams":[]}"#, "a push to Loki"),
        (Source::KubernetesEvent, r#"{"specversion":"1.0","data":{}}"#, "a CloudEvent in structured mode"),
        (Source::KubernetesEvent, r#"{"alerts":[]}"#, "an Alertmanager webhook"),
        (Source::Prometheus, r#"{"involvedObject":{},"reason":"r"}"#, "a Kubernetes Event"),
        (Source::Prometheus, r#"{"evalMatches":[]}"#, "a notification of Grafana's legacy alerting"),
    ] {
        let error = decode(source, body.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("the body is {seen}, and this path takes a")), "{error}");
    }
    assert!(decode(Source::Prometheus, b"{}").unwrap_err().to_string().contains("missing field `alerts`"));
}

#[test]
fn the_time_is_that_of_the_series_then_last_timestamp_then_event_time_then_first_timestamp() {
    let set = |times: Value| {
        let mut event = event(pod());
        for name in ["lastTimestamp", "eventTime", "firstTimestamp"] {
            event[name] = times[name].clone();
        }
        signal(&event.to_string()).firing_time.map(|time| time.into_owned())
    };
    let mut recurring = event(pod());
    recurring["series"] = json!({"count": 3, "lastObservedTime": "2026-08-01T12:00:00.5Z"});
    assert_eq!(signal(&recurring.to_string()).firing_time.as_deref(), Some("2026-08-01T12:00:00.5Z"));
    for none in [json!(null), json!({}), json!({"lastObservedTime": 5}), json!([]), json!("x")] {
        recurring["series"] = none;
        assert_eq!(signal(&recurring.to_string()).firing_time.as_deref(), Some("2026-08-01T10:00:00Z"));
    }
    let (last, own, first) = ("2026-08-01T10:00:00Z", "2026-08-01T10:00:00.000001Z", "2026-08-01T09:00:00Z");
    let all = json!({"lastTimestamp": last, "eventTime": own, "firstTimestamp": first});
    assert_eq!(set(all).as_deref(), Some(last));
    assert_eq!(set(json!({"eventTime": own, "firstTimestamp": first})).as_deref(), Some(own));
    assert_eq!(set(json!({"lastTimestamp": "", "firstTimestamp": first})).as_deref(), Some(first));
    let zero = json!({"lastTimestamp": "0001-01-01T00:00:00Z", "eventTime": own});
    assert_eq!(set(zero).as_deref(), Some(own));
    assert_eq!(set(json!({})), None);
}

#[test]
fn a_reference_that_no_object_of_the_api_can_have_is_rejected_with_its_field() {
    let rejection = |object: Value| only(&decode_event(&event(object).to_string())).signal.unwrap_err();
    let pod = |name: &str, namespace: &str| json!({"kind": "Pod", "name": name, "namespace": namespace});
    for (object, field) in [
        (pod("Web_0", "prod"), "involvedObject.name"),
        (pod("../../secrets/x", "prod"), "involvedObject.name"),
        (pod("web-0 ", "prod"), "involvedObject.name"),
        (pod("web-0", "Prod"), "involvedObject.namespace"),
        (pod("web-0", "a.b"), "involvedObject.namespace"),
        (pod("web-0", "a:b"), "involvedObject.namespace"),
        (json!({"kind": "A:B", "name": "n"}), "involvedObject.kind"),
        (json!({"kind": "Pod/exec", "name": "n"}), "involvedObject.kind"),
        (json!({"apiVersion": "v1", "kind": "Namespace", "name": "a.b"}), "involvedObject.name"),
        (json!({"kind": "ClusterRole", "name": ".."}), "involvedObject.name"),
        (json!({"kind": "ClusterRole", "name": "a%2fb"}), "involvedObject.name"),
        (json!({"kind": "Gadget", "name": "a\nb"}), "involvedObject.name"),
    ] {
        let rejection = rejection(object.clone());
        assert!(matches!(rejection, Rejection::Syntax { field: found, .. } if found == field), "{object} {rejection}");
    }
    let text = rejection(pod("Web_0", "prod")).to_string();
    assert_eq!(
        text,
        "`involvedObject.name` is \"Web_0\", which is no name of a Kubernetes object; it has a-z, 0-9 and inner '-' and '.'"
    );
}

#[test]
fn names_that_real_objects_have_are_accepted() {
    for (version, kind, name) in [
        ("rbac.authorization.k8s.io/v1", "ClusterRole", "system:controller:node-controller"),
        ("rbac.authorization.k8s.io/v1", "Role", "team:Admin"),
        ("v1", "Node", "ip-10-0-3-17.eu-central-1.compute.internal"),
        ("v1", "PersistentVolume", "pvc-0b6c1b1e-3c4f-4a7e-9d0f-8a2b7f6f1f1e"),
        ("apiregistration.k8s.io/v1", "APIService", "v1beta1.metrics.k8s.io"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "remediationrequests.kubernaut.ai"),
        ("serving.knative.dev/v1", "Service", "a.b"),
        ("example.io/v1", "my-kind", "Name_With.Anything"),
    ] {
        let body = event(json!({"apiVersion": version, "kind": kind, "name": name})).to_string();
        assert_eq!(signal(&body).resource.name, name);
    }
}

#[test]
fn an_owner_that_no_object_can_be_is_not_believed() {
    let owners = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "a/b", "controller": true}]);
    let object = json!({"kind": "Pod", "namespace": "p", "name": "db-0", "ownerReferences": owners});
    assert_eq!(target(object), "p:StatefulSet:db");
}

#[test]
fn labels_and_annotations_are_those_of_its_metadata() {
    let mut event = event(pod());
    event["metadata"]["labels"] = json!({"app": "a"});
    event["metadata"]["annotations"] = json!({"note": "n"});
    let body = event.to_string();
    let with = signal(&body);
    assert_eq!(with.labels.get("app").as_deref(), Some("a"));
    assert_eq!(with.annotations.get("note").as_deref(), Some("n"));
    event["metadata"] = json!(null);
    let body = event.to_string();
    assert_eq!(signal(&body).labels.iter().count(), 0);
}

#[test]
fn an_event_without_a_name_or_a_target_is_rejected() {
    for (field, path) in [
        ("reason", "/reason"),
        ("involvedObject.kind", "/involvedObject/kind"),
        ("involvedObject.name", "/involvedObject/name"),
    ] {
        for none in [json!(null), json!("")] {
            let mut event = event(pod());
            *event.pointer_mut(path).unwrap() = none;
            let rejection = only(&decode_event(&event.to_string())).signal.unwrap_err();
            assert_eq!(rejection, Rejection::Missing { field });
        }
    }
    let body = event(json!(null)).to_string();
    let rejection = only(&decode_event(&body)).signal.unwrap_err();
    assert_eq!(rejection, Rejection::Missing { field: "involvedObject.kind" });
}
