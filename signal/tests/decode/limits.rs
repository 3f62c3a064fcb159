//! Lengths: a field of the identity is accepted up to its limit and rejected beyond it.

use onceway_signal::limits::{MAX_CLUSTER, MAX_KIND, MAX_NAME, MAX_NAMESPACE, MAX_SIGNAL_NAME};
use onceway_signal::{Entry, Rejection};
use serde_json::{Value, json};

use crate::support::{decode_event, decode_webhook, event, only, webhook_of};

/// Asserts that `make` is accepted with a text of `limit` characters, and rejected with one more, naming `field`.
fn bounded(field: &str, limit: usize, make: impl Fn(&str) -> Value) {
    // Counted in characters, not in bytes.
    bounded_texts(&["x", "é"], field, limit, make);
}

/// The same for texts of these units.
fn bounded_texts(units: &[&str], field: &str, limit: usize, make: impl Fn(&str) -> Value) {
    let check = |body: &Value, text: &str| {
        let body = body.to_string();
        let payload = if body.contains("involvedObject") { decode_event(&body) } else { decode_webhook(&body) };
        let Entry { signal, .. } = only(&payload);
        let length = text.chars().count();
        match signal {
            Ok(_) => assert_eq!(length, limit, "{field}"),
            Err(rejection) => {
                assert_eq!(rejection, Rejection::TooLong { field: field.to_owned(), length, limit });
                let message = format!("`{field}` is {length} characters long; use at most {limit}");
                assert_eq!(rejection.to_string(), message);
                assert_eq!(length, limit + 1, "{field}");
            }
        }
    };
    for unit in units {
        for length in [limit, limit + 1] {
            let text = unit.repeat(length);
            check(&make(&text), &text);
        }
    }
}

fn label(name: &'static str) -> impl Fn(&str) -> Value {
    move |text| {
        let mut labels = json!({"alertname": "A"});
        labels[name] = text.into();
        serde_json::from_str(&webhook_of(labels)).unwrap()
    }
}

fn object(name: &'static str) -> impl Fn(&str) -> Value {
    move |text| {
        let mut object = json!({"kind": "Pod", "name": "p", "namespace": "n"});
        object[name] = text.into();
        event(object)
    }
}

#[test]
fn the_fields_of_an_alerts_identity_are_accepted_up_to_their_limits() {
    bounded("labels.alertname", MAX_SIGNAL_NAME, label("alertname"));
    bounded("labels.cluster", MAX_CLUSTER, label("cluster"));
}

#[test]
fn a_label_that_is_too_long_for_a_name_names_nothing() {
    let target = |label: &str, length: usize| {
        let mut labels = json!({"alertname": "A"});
        labels[label] = "x".repeat(length).into();
        only(&decode_webhook(&webhook_of(labels))).signal.unwrap().target.kind.into_owned()
    };
    for (label, limit, kind) in
        [("namespace", MAX_NAMESPACE, "NamespaceScope"), ("pod", MAX_NAME, "Pod"), ("node", MAX_NAME, "Node")]
    {
        assert_eq!(target(label, limit), kind);
        assert_eq!(target(label, limit + 1), "ClusterScope");
    }
}

#[test]
fn the_fields_of_an_events_identity_are_accepted_up_to_their_limits() {
    bounded_texts(&["x"], "involvedObject.kind", MAX_KIND, object("kind"));
    bounded_texts(&["x"], "involvedObject.name", MAX_NAME, object("name"));
    bounded_texts(&["x"], "involvedObject.namespace", MAX_NAMESPACE, object("namespace"));
    bounded("reason", MAX_SIGNAL_NAME, |text| {
        let mut event = event(json!({"kind": "Pod", "name": "p"}));
        event["reason"] = text.into();
        event
    });
}

#[test]
fn a_label_that_no_rule_reads_may_be_of_any_length() {
    let body = webhook_of(json!({"alertname": "A", "deployment": "d", "team": "t".repeat(9000)}));
    assert!(only(&decode_webhook(&body)).signal.is_ok());
}

#[test]
fn the_namespace_of_a_node_is_ignored_and_may_be_of_any_length() {
    let body = webhook_of(json!({"alertname": "A", "node": "n", "namespace": "x".repeat(64)}));
    assert!(only(&decode_webhook(&body)).signal.is_ok());
}
