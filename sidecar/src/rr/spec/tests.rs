use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source, decode};
use serde_json::{Map, Value, json};

use super::{Draft, MAX_VALUE_BYTES};
use crate::rr::{RemediationRequest, RemediationRequestSpec};

const RECEIVED: &str = "2026-03-01T10:00:00.75Z";

fn webhook(alerts: Vec<Value>) -> String {
    json!({"version": "4", "receiver": "onceway", "alerts": alerts}).to_string()
}

fn alert(labels: Value, annotations: Value, starts_at: &str) -> Value {
    json!({"status": "firing", "labels": labels, "annotations": annotations, "startsAt": starts_at})
}

fn payment(starts_at: &str) -> Value {
    let labels = json!({"alertname": "HighLatency", "severity": "critical", "cluster": "east-1",
        "namespace": "prod", "pod": "payment-api-7d4b8c9f5d-x2k4z"});
    alert(labels, json!({"summary": "slow"}), starts_at)
}

/// The draft of the first incident in `body`.
fn draft(source: Source, body: String) -> Draft {
    let rules = Arc::new(Rules::default());
    let payload = decode(&rules, Origin::of(source), body.as_bytes()).unwrap();

    let group = payload.groups().swap_remove(0);
    Draft {
        part: payload.partial(&group.entries),
        rules: Arc::clone(&rules),
        body: Bytes::from(body),
        fingerprint: group.fingerprint,
        received: RECEIVED.parse().unwrap(),
        max_payload_bytes: 64 * 1024,
    }
}

fn spec(alert: Value) -> RemediationRequestSpec {
    draft(Source::Prometheus, webhook(vec![alert])).spec()
}

#[test]
fn an_alert_becomes_the_spec_that_the_crd_describes() {
    let body = webhook(vec![payment("2026-03-01T11:59:59.123+02:00")]);
    let spec = draft(Source::Prometheus, body.clone()).spec();
    let written = serde_json::to_value(&spec).unwrap();
    let expected = json!({
        "signalFingerprint": "c6189eee9f796bf7e1f59d52e7ec00716a4fed0b7e1fb82ac214fdae74f15e36",
        "signalName": "HighLatency",
        "severity": "critical",
        "signalType": "alert",
        "signalSource": "prometheus",
        "targetType": "kubernetes",
        "targetResource": {"kind": "Pod", "name": "payment-api-7d4b8c9f5d-x2k4z", "namespace": "prod"},
        "clusterID": "east-1",
        "firingTime": "2026-03-01T09:59:59Z",
        "receivedTime": "2026-03-01T10:00:00Z",
        "signalLabels": {"alertname": "HighLatency", "severity": "critical", "cluster": "east-1",
            "namespace": "prod", "pod": "payment-api-7d4b8c9f5d-x2k4z"},
        "signalAnnotations": {"summary": "slow"},
        "providerData": written["providerData"],
        "originalPayload": written["originalPayload"],
    });
    assert_eq!(written, expected);
    let provider: Value = serde_json::from_str(&spec.provider_data.unwrap()).unwrap();
    assert_eq!(provider, json!({"namespace": "prod", "labels": written["signalLabels"]}));
    let stored: Value = serde_json::from_str(&spec.original_payload.unwrap()).unwrap();
    assert_eq!(stored, serde_json::from_str::<Value>(&body).unwrap());
}

#[test]
fn an_event_becomes_a_spec_with_its_objects_api_version() {
    let event = json!({"type": "Warning", "reason": "BackOff", "lastTimestamp": "2026-03-01T09:00:00Z",
        "involvedObject": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "payment-api", "namespace": "prod"}});
    let spec = draft(Source::KubernetesEvent, event.to_string()).spec();
    assert_eq!(spec.signal_source.as_deref(), Some("kubernetes-events"));
    assert_eq!((spec.signal_name.as_str(), spec.severity.as_str()), ("BackOff", "Warning"));
    assert_eq!(spec.target_resource.api_version.as_deref(), Some("apps/v1"));
    assert_eq!(spec.firing_time.0, "2026-03-01T09:00:00Z".parse::<Timestamp>().unwrap());
    assert_eq!(spec.original_payload, Some(event.to_string()));
}

#[test]
fn what_an_event_says_of_itself_is_among_the_labels_and_annotations_and_the_events_own_are_kept() {
    let event = json!({"type": "Warning", "reason": "BackOff", "message": "Back-off", "metadata": {"labels": {"a": "b"}},
        "involvedObject": {"kind": "Deployment", "name": "payment-api", "namespace": "prod"}});
    let spec = draft(Source::KubernetesEvent, event.to_string()).spec();
    let labels = json!({"a": "b", "kubernaut.ai/event-type": "warning", "kubernaut.ai/resource-kind": "deployment"});
    assert_eq!(json!(spec.signal_labels), labels);
    assert_eq!(json!(spec.signal_annotations), json!({"kubernaut.ai/event-message": "Back-off"}));
    let provider: Value = serde_json::from_str(&spec.provider_data.unwrap()).unwrap();
    assert_eq!(provider, json!({"namespace": "prod", "labels": labels}));
}

#[test]
fn empty_fields_are_left_out_so_that_other_clients_write_the_spec_back_unchanged() {
    let node = alert(json!({"alertname": "NodeDown", "node": "worker-1"}), json!({}), "");
    let written = serde_json::to_value(spec(node)).unwrap();
    for absent in ["clusterID", "signalAnnotations"] {
        assert_eq!(written.get(absent), None, "{absent}");
    }
    assert_eq!(written["targetResource"], json!({"kind": "Node", "name": "worker-1"}));
    assert_eq!(written["severity"], "unknown");
}

#[test]
fn an_unusable_firing_time_is_replaced_by_the_time_of_receipt() {
    let received: Timestamp = RECEIVED.parse().unwrap();
    for useless in ["", "yesterday", "0001-01-01T00:00:00Z", "2026-13-01T00:00:00Z"] {
        assert_eq!(spec(payment(useless)).firing_time.0, received, "{useless:?}");
    }
}

#[test]
fn only_the_incidents_own_alerts_are_stored_as_many_whole_ones_as_fit() {
    let other = alert(json!({"alertname": "Other", "deployment": "other", "namespace": "prod"}), json!({}), "");
    let mut alerts = vec![payment("2026-03-01T10:00:00Z"); 1000];
    alerts.insert(1, other);
    let stored = draft(Source::Prometheus, webhook(alerts)).spec().original_payload.unwrap();
    assert!(stored.len() <= 64 * 1024 && stored.len() > 60 * 1024, "{}", stored.len());
    let stored: Value = serde_json::from_str(&stored).unwrap();
    assert!(stored["alerts"].as_array().unwrap().iter().all(|a| a["labels"]["alertname"] == "HighLatency"));
}

#[test]
fn only_the_incidents_own_alerts_are_decoded_again() {
    let other = alert(json!({"alertname": "Other", "deployment": "other", "namespace": "prod"}), json!({}), "");
    let mut draft = draft(Source::Prometheus, webhook(vec![payment(""), other]));
    let mut body = draft.body.to_vec();
    let place = body.windows(5).position(|text| text == b"Other").unwrap();
    body[place] = 0xff;
    draft.body = body.into();
    assert_eq!(draft.spec().signal_name, "HighLatency");
}

#[test]
fn a_long_value_is_truncated_at_a_character_boundary() {
    let note = format!("a{}", "é".repeat(MAX_VALUE_BYTES));
    let labels = json!({"alertname": "A", "namespace": "prod"});
    let kept = spec(alert(labels, json!({"note": note}), "")).signal_annotations.remove("note").unwrap();
    assert_eq!(kept.len(), MAX_VALUE_BYTES - 1);
    assert!(note.starts_with(&kept));
}

#[test]
fn a_body_that_cannot_be_decoded_again_still_yields_the_fingerprint() {
    let mut draft = draft(Source::Prometheus, webhook(vec![payment("")]));
    draft.body = Bytes::from_static(b"gone");
    let spec = draft.spec();
    assert_eq!(spec.signal_fingerprint, draft.fingerprint.to_string());
    assert_eq!(spec.target_resource.name, "unknown");
}

#[test]
fn the_largest_object_stays_far_below_etcds_limit() {
    // JSON's worst escaping is six bytes for one: control characters. In the payload, every byte may become two.
    let worst = "\u{1}".repeat(MAX_VALUE_BYTES);
    let many = |prefix: &str| (0..64).map(|i| (format!("{prefix}{i}"), Value::from(worst.clone()))).collect();
    let mut labels: Map<String, Value> = many("l");
    labels.extend(json!({"alertname": "A", "namespace": "prod"}).as_object().unwrap().clone());
    let padding = "\\\"".repeat(32 * 1024 - 600);
    let big = alert(json!({"alertname": "A", "namespace": "prod"}), json!({"p": padding}), "");
    let mut draft =
        draft(Source::Prometheus, webhook(vec![alert(Value::Object(labels), Value::Object(many("a")), ""), big]));
    draft.max_payload_bytes = 256 * 1024;
    let object = RemediationRequest::new("rr", draft.spec());
    let size = serde_json::to_vec(&object).unwrap().len();
    assert!(size > 256 * 1024 && size < 1024 * 1024, "{size} bytes");
}
