//! The core/v1 Event.

use onceway_signal::{Rejection, Signal, State};
use serde_json::{Value, json};

use crate::support::{decode_event, event, only, sha256};

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
fn only_a_pod_is_reduced_and_only_one_of_the_core_api() {
    let replica_set =
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "namespace": "p", "name": "web-7d4b8c9f5d"});
    assert_eq!(target(replica_set), "p:ReplicaSet:web-7d4b8c9f5d");
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
fn the_time_is_last_timestamp_then_event_time_then_first_timestamp() {
    let set = |times: Value| {
        let mut event = event(pod());
        for name in ["lastTimestamp", "eventTime", "firstTimestamp"] {
            event[name] = times[name].clone();
        }
        signal(&event.to_string()).firing_time.map(|time| time.into_owned())
    };
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
