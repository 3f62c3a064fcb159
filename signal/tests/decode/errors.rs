//! The errors of unusable input: what is wrong, where, and what to do.

use onceway_signal::limits::{MAX_ALERTS, MAX_PROBLEM};
use onceway_signal::{DecodeError, Rejection, Source};
use serde_json::json;

use crate::support::{decode, decode_event, event, only, rejection_of, webhook_of};

fn decode_error(source: Source, body: impl AsRef<[u8]>) -> DecodeError {
    decode(source, body.as_ref()).expect_err("an error")
}

#[test]
fn a_body_that_is_not_utf_8_is_rejected_with_the_byte_offset() {
    let error = decode_error(Source::Prometheus, b"{\"alerts\":[\"\xff\"]}");
    assert_eq!(error, DecodeError::NotUtf8 { offset: 12 });
    assert_eq!(error.to_string(), "the body is not UTF-8: byte 12 is invalid; send JSON in UTF-8");
}

#[test]
fn a_body_that_is_not_json_is_rejected_with_line_and_column() {
    for (body, message) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("hello", "expected value at line 1 column 1"),
        ("{\"alerts\":\n[}", "expected value at line 2 column 2"),
        ("{\"alerts\":[]} x", "trailing characters at line 1 column 15"),
        ("\u{feff}{\"alerts\":[]}", "expected value at line 1 column 1"),
    ] {
        let error = decode_error(Source::Prometheus, body);
        let expected =
            format!("the body is malformed JSON: {message}; send an Alertmanager webhook as one JSON object");
        assert_eq!(error.to_string(), expected);
    }
    let error = decode_error(Source::KubernetesEvent, "{").to_string();
    assert!(error.ends_with("send a Kubernetes Event as one JSON object"), "{error}");
}

#[test]
fn a_body_of_another_shape_is_rejected() {
    let many = format!("{{\"alerts\":[{}0]}}", "0,".repeat(MAX_ALERTS));
    for (source, body, message) in [
        (Source::Prometheus, "[]", "invalid type: sequence, expected an object at line 1 column 0"),
        (Source::Prometheus, "{}", "missing field `alerts`"),
        (Source::Prometheus, r#"{"alerts":null}"#, "missing field `alerts`"),
        (Source::Prometheus, r#"{"alerts":{}}"#, "invalid type: map, expected a list of alerts at line 1 column 10"),
        (Source::Prometheus, r#"{"alerts":[],"\u0061lerts":[]}"#, "duplicate field `alerts` at line 1 column 26"),
        (
            Source::Prometheus,
            r#"{"status":"a","alerts":[],"status":"b"}"#,
            "duplicate field `status` at line 1 column 39",
        ),
        (Source::Prometheus, r#"{"\ud800":1}"#, r#"unreadable key "\ud800" at line 1 column 9"#),
        (Source::Prometheus, &many, "more than 32768 alerts (lower max_alerts in Alertmanager)"),
        (Source::KubernetesEvent, "[]", "invalid type: sequence, expected an object at line 1 column 0"),
        (
            Source::KubernetesEvent,
            r#"{"reason":5}"#,
            "invalid type: integer `5`, expected a string at line 1 column 11",
        ),
        (Source::KubernetesEvent, r#"{"reason":"a","reason":"a"}"#, "duplicate field `reason` at line 1 column 22"),
    ] {
        let error = decode_error(source, body);
        assert!(matches!(error, DecodeError::WrongShape { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(message), "{error}");
        assert!(error.ends_with("; check that the sender is configured for this path"), "{error}");
    }
}

#[test]
fn a_malformed_alert_is_rejected_with_the_cause() {
    for (alert, part, message) in [
        ("5", "the alert", "invalid type: integer `5`, expected an object at line 1 column 1"),
        (r#"{"status":[]}"#, "the alert", "invalid type: sequence, expected a string at line 1 column 10"),
        (r#"{"labels":{},"labels":{}}"#, "the alert", "duplicate field `labels` at line 1 column 21"),
        (r#"{"startsAt":"","startsAt":""}"#, "the alert", "duplicate field `startsAt` at line 1 column 25"),
        (r#"{"labels":[]}"#, "`labels`", "invalid type: sequence, expected an object of labels at line 1 column 0"),
        (
            r#"{"labels":{"x":5}}"#,
            "`labels`",
            "label `x`: invalid type: integer `5`, expected a string at line 1 column 6",
        ),
        (r#"{"labels":{"pod":"a","p\u006fd":"a"}}"#, "`labels`", "duplicate label `pod` at line 1 column 26"),
        (r#"{"labels":{"node":"","node":"a"}}"#, "`labels`", "duplicate label `node` at line 1 column 22"),
    ] {
        let rejection = rejection_of(&format!("{{\"alerts\":[{alert}]}}"));
        assert_eq!(rejection, Rejection::Malformed { part, problem: message.to_owned() }, "{alert}");
        let expected =
            format!("{part} is malformed: {message} of {part}; send it as Alertmanager or Kubernetes writes it");
        assert_eq!(rejection.to_string(), expected);
    }
}

#[test]
fn a_duplicate_of_a_label_that_is_read_is_rejected() {
    let table = ["deployment", "statefulset", "daemonset", "cronjob", "job_name", "pod", "horizontalpodautoscaler"];
    let others =
        ["persistentvolumeclaim", "node", "namespace", "exported_namespace", "cluster", "severity", "alertname"];
    for label in table.into_iter().chain(others) {
        let body = format!(r#"{{"alerts":[{{"labels":{{"{label}":"a","other":"","{label}":"a"}}}}]}}"#);
        let rejection = rejection_of(&body).to_string();
        assert!(rejection.contains(&format!("duplicate label `{label}`")), "{rejection}");
    }
}

#[test]
fn a_duplicate_of_a_label_that_is_not_read_is_accepted() {
    let body = r#"{"x":1,"x":2,"alerts":[{"labels":{"alertname":"A","team":"a","team":"b"},"y":1,"y":2}]}"#;
    assert_eq!(crate::support::signal_of(body).labels.get("team").as_deref(), Some("b"));
}

#[test]
fn an_alert_without_a_name_is_rejected() {
    for labels in [json!({}), json!({"deployment": "d"}), json!({"alertname": "", "deployment": "d"}), json!(null)] {
        let rejection = rejection_of(&webhook_of(labels));
        assert_eq!(rejection, Rejection::Missing { field: "labels.alertname" });
        let message = "`labels.alertname` is missing or empty; set it";
        assert_eq!(rejection.to_string(), message);
    }
}

#[test]
fn a_malformed_part_of_an_event_is_named() {
    for (field, value) in
        [("involvedObject", json!("Pod")), ("metadata", json!([])), ("involvedObject", json!({"kind": 1}))]
    {
        let mut event = event(json!({"kind": "Pod", "name": "p"}));
        event[field] = value;
        let rejection = only(&decode_event(&event.to_string())).signal.unwrap_err().to_string();
        assert!(rejection.starts_with(&format!("`{field}` is malformed: invalid type")), "{rejection}");
    }
}

#[test]
fn quoted_input_in_an_error_is_truncated_but_not_what_was_expected_nor_where() {
    for unit in ["x", "é", ", expected "] {
        let body = json!({"alerts": [{"labels": unit.repeat(100_000)}]}).to_string();
        let rejection = rejection_of(&body).to_string();
        assert!(rejection.chars().count() < 2 * MAX_PROBLEM + 200, "{} characters", rejection.chars().count());
        assert!(rejection.contains("…, expected ") && rejection.contains(" at line 1 column "), "{rejection}");
        assert!(!rejection.contains(&unit.repeat(MAX_PROBLEM)), "{rejection}");
    }
}
