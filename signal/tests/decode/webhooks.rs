//! The webhook as a whole: states, groups, and a bad alert among good ones.

use onceway_signal::rules::Rules;
use onceway_signal::{DecodeError, Group, Origin, Source, State, decode};
use serde_json::{Value, json};

use crate::support::{alert, decode_webhook, rejection_of, sha256, signal_of, webhook, webhook_of};

fn state(group: Value, own: Value) -> State {
    signal_of(&json!({"status": group, "alerts": [{"status": own, "labels": {"alertname": "A"}}]}).to_string()).state
}

#[test]
fn an_alerts_own_state_takes_precedence_over_that_of_its_webhook() {
    for group in ["firing", "resolved"] {
        assert_eq!(state(group.into(), "firing".into()), State::Firing);
        assert_eq!(state(group.into(), "resolved".into()), State::Resolved);
    }
}

#[test]
fn an_alert_without_a_state_has_the_state_of_its_webhook() {
    for none in [json!(null), json!("")] {
        assert_eq!(state("resolved".into(), none.clone()), State::Resolved);
        assert_eq!(state("firing".into(), none.clone()), State::Firing);
        assert_eq!(state(none.clone(), none.clone()), State::Firing);
    }
    assert_eq!(signal_of(r#"{"alerts":[{"labels":{"alertname":"A"}}],"status":"resolved"}"#).state, State::Resolved);
}

#[test]
fn an_alert_without_a_cluster_has_that_of_the_common_labels_before_that_of_the_path() {
    let cluster = |labels: Value, common: Value, query: Option<&str>| {
        let body = json!({"alerts": [alert(labels)], "commonLabels": common}).to_string();
        let origin = Origin::new(Source::Prometheus, query).unwrap();
        let payload = decode(Rules::built_in(), &origin, body.as_bytes()).unwrap();
        let part = payload.partial(&[0]);
        let sliced = part.slice(body.as_bytes()).unwrap();
        let sliced = decode(Rules::built_in(), &origin, &sliced).unwrap();
        let read = part.decode(Rules::built_in(), body.as_bytes()).unwrap();
        let clusters = [&payload, &sliced, &read]
            .map(|payload| payload.entries()[0].signal.as_ref().unwrap().cluster.as_deref().map(str::to_owned));
        assert!(clusters.iter().all(|found| *found == clusters[0]), "{clusters:?}");
        clusters[0].clone()
    };
    let (own, none) = (json!({"alertname": "A", "cluster": "own"}), json!({"alertname": "A", "cluster": ""}));
    let common = json!({"cluster": "comm\"on", "alertname": "A"});
    assert_eq!(cluster(own.clone(), common.clone(), Some("cluster=path")).as_deref(), Some("own"));
    assert_eq!(cluster(none.clone(), common.clone(), Some("cluster=path")).as_deref(), Some("comm\"on"));
    assert_eq!(cluster(none.clone(), json!({}), Some("cluster=path")).as_deref(), Some("path"));
    assert_eq!(cluster(none.clone(), json!({"cluster": ""}), None), None);
    // The label names something else, by the rule of its exporter: then the webhook's names that, too.
    let other = json!({"alertname": "A", "cluster": "es", "job": "elasticsearch-exporter"});
    assert_eq!(cluster(other, json!({"cluster": "es"}), None), None);
    assert!(cluster(none, common, None).is_some());
}

#[test]
fn a_cluster_of_the_common_labels_that_is_too_long_is_named_by_its_path() {
    let body = json!({"alerts": [alert(json!({"alertname": "A"}))], "commonLabels": {"cluster": "c".repeat(254)}});
    let rejection = rejection_of(&body.to_string()).to_string();
    assert!(rejection.contains("`commonLabels.cluster` is 254 characters"), "{rejection}");
}

#[test]
fn common_labels_that_are_no_labels_are_rejected() {
    for common in ["[]", "7", r#"{"cluster":["a"]}"#, r#"{"cluster":"a","cluster":"b"}"#] {
        let body = format!(r#"{{"alerts":[],"commonLabels":{common}}}"#);
        let error = decode(Rules::built_in(), Origin::of(Source::Prometheus), body.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::WrongShape { .. }), "{common}: {error}");
    }
}

#[test]
fn an_unknown_state_is_firing() {
    assert_eq!(state("resolved".into(), "Resolved?".into()), State::Firing);
}

#[test]
fn signals_are_grouped_by_fingerprint_in_order_of_appearance() {
    let [b, a] = ["b", "a"].map(|name| alert(json!({"alertname": "A", "deployment": name})));
    let mut resolved = a.clone();
    resolved["status"] = "resolved".into();
    let body = webhook(&[b.clone(), a, json!("not an alert"), resolved, b]);
    let payload = decode_webhook(&body);
    assert_eq!(payload.source(), Source::Prometheus);
    let groups: Vec<_> = payload.groups().into_iter().map(|group| (group.fingerprint, group.entries)).collect();
    assert_eq!(groups, [(sha256(":Deployment:b"), vec![0, 4]), (sha256(":Deployment:a"), vec![1, 3])]);
}

#[test]
fn a_bad_alert_does_not_affect_the_others() {
    let good = alert(json!({"alertname": "A", "deployment": "d"}));
    let bad = [
        json!(null),
        json!(5),
        json!([]),
        json!(["firing", {"alertname": "A"}, {}, "2026-08-01T10:00:00Z"]),
        json!({}),
        json!({"labels": {"alertname": "A", "replicas": 3}}),
        json!({"labels": {"alertname": "A", "deployment": null}}),
        json!({"labels": "alertname=A"}),
        json!({"labels": {"alertname": "A"}, "status": 1}),
    ];
    for bad in bad {
        let body = webhook(&[good.clone(), bad.clone(), good.clone()]);
        let payload = decode_webhook(&body);
        let usable: Vec<_> = payload.entries().iter().map(|entry| entry.signal.is_ok()).collect();
        assert_eq!(usable, [true, false, true], "{bad}");
        assert_eq!(payload.groups()[0].entries, [0, 2]);
    }
}

#[test]
fn each_entry_has_its_own_bytes() {
    let body = "{\"alerts\" : [ {\"labels\" : {} } ,\n{ \"a\": 1e3}]}";
    let raw: Vec<_> = decode_webhook(body).entries().iter().map(|entry| entry.raw).collect();
    assert_eq!(raw, ["{\"labels\" : {} }", "{ \"a\": 1e3}"]);
}

#[test]
fn a_webhook_without_alerts_has_no_entries() {
    let body = webhook(&[]);
    let payload = decode_webhook(&body);
    assert!(payload.entries().is_empty() && payload.groups().is_empty());
}

#[test]
fn the_version_is_not_read() {
    for version in ["4", "5", ""] {
        let mut body: Value = serde_json::from_str(&webhook_of(json!({"alertname": "A"}))).unwrap();
        body["version"] = version.into();
        assert_eq!(signal_of(&body.to_string()).name, "A");
    }
}

#[test]
fn an_escaped_key_is_the_same_key() {
    let body = r#"{"\u0061lerts":[{"l\u0061bels":{"\u0061lertname":"\u0041","n\u006fde":"n","node2":"x"},
        "st\u0061tus":"res\u006flved"}]}"#;
    let signal = signal_of(body);
    assert_eq!((&*signal.name, signal.state, signal.target.to_string()), ("A", State::Resolved, ":Node:n".into()));
}

#[test]
fn the_leading_incident_of_a_body_is_the_first_that_fires_else_the_first() {
    let one = |node: &str, status: &str| {
        let mut alert = alert(json!({"alertname": "A", "node": node}));
        alert["status"] = status.into();
        alert
    };
    let leading = |alerts: &[Value]| Group::leading(&decode_webhook(&webhook(alerts)).groups());
    let alone = |node| leading(&[one(node, "firing")]);
    assert_eq!(leading(&[one("a", "resolved"), one("b", "firing"), one("c", "firing")]), alone("b"));
    assert_eq!(leading(&[one("a", "resolved"), one("b", "firing"), one("a", "firing")]), alone("a"), "of two states");
    assert_eq!(leading(&[one("a", "resolved"), one("b", "resolved")]), alone("a"));
    assert_eq!(leading(&[]), None);
}
