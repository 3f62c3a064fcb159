//! The other fields of a signal: name, severity, time, labels and annotations.

use onceway_signal::Labels;
use onceway_signal::limits::MAX_SEVERITY;
use serde_json::json;

use crate::support::{alert, signal_of, webhook, webhook_of};

fn pairs(labels: Labels<'_>) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_signal_carries_name_severity_time_labels_and_annotations() {
    let body = webhook_of(json!({"alertname": "DiskFull", "severity": "critical", "node": "n"}));
    let signal = signal_of(&body);
    assert_eq!(signal.name, "DiskFull");
    assert_eq!(signal.severity, "critical");
    assert_eq!(signal.firing_time.as_deref(), Some("2026-08-01T10:00:00.123Z"));
    assert_eq!(signal.labels.get("severity").as_deref(), Some("critical"));
    assert_eq!(signal.labels.get("nothing"), None);
    assert_eq!(pairs(signal.annotations), [pair("summary", "something is wrong")]);
}

#[test]
fn labels_are_returned_in_the_order_of_the_body() {
    let body = r#"{"alerts":[{"labels":{"z":"1","alertname":"A","b":"2","\u0061":"\u00e9"}}]}"#;
    let expected = [pair("z", "1"), pair("alertname", "A"), pair("b", "2"), pair("a", "é")];
    assert_eq!(pairs(signal_of(body).labels), expected);
}

#[test]
fn a_severity_that_is_missing_or_empty_is_unknown() {
    for labels in [json!({"alertname": "A"}), json!({"alertname": "A", "severity": ""})] {
        assert_eq!(signal_of(&webhook_of(labels)).severity, "unknown");
    }
}

#[test]
fn a_severity_that_is_too_long_is_truncated_between_characters() {
    for (unit, escape) in [("e", false), ("é", false), ("😀", false), ("e", true)] {
        let long = unit.repeat(MAX_SEVERITY + 1);
        let mut body = webhook_of(json!({"alertname": "A", "severity": long}));
        if escape {
            body = body.replacen("eeeee", r"ee\u0065ee", 1);
        }
        assert_eq!(signal_of(&body).severity, unit.repeat(MAX_SEVERITY));
    }
}

#[test]
fn the_time_is_passed_through_as_sent_and_never_rejects_an_alert() {
    for (sent, expected) in [
        (json!("2026-08-01T10:00:00+02:00"), Some("2026-08-01T10:00:00+02:00")),
        (json!("yesterday"), Some("yesterday")),
        (json!(""), None),
        (json!(null), None),
        (json!("0001-01-01T00:00:00Z"), None),
    ] {
        let mut alert = alert(json!({"alertname": "A"}));
        alert["startsAt"] = sent;
        assert_eq!(signal_of(&webhook(&[alert])).firing_time.as_deref(), expected);
    }
}

#[test]
fn malformed_annotations_never_reject_an_alert() {
    for (sent, expected) in [
        (
            r#"{"a":"1","a":"2","n":5,"x":null,"o":{"k":[1]}}"#,
            vec![pair("a", "1"), pair("a", "2"), pair("n", "5"), pair("o", r#"{"k":[1]}"#)],
        ),
        (r#"{"lone":"\ud800"}"#, vec![pair("lone", r#""\ud800""#)]),
        (r#"["no","object"]"#, vec![]),
        ("null", vec![]),
        ("7", vec![]),
    ] {
        let body = format!(r#"{{"alerts":[{{"labels":{{"alertname":"A"}},"annotations":{sent}}}]}}"#);
        let signal = signal_of(&body);
        assert_eq!(pairs(signal.annotations), expected, "{sent}");
        let last = expected.iter().rev().find(|(name, _)| name == "a").map(|(_, value)| value.as_str());
        assert_eq!(signal.annotations.get("a").as_deref(), last, "{sent}");
    }
}
