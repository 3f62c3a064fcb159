//! Hostile bodies: deeply nested, huge, or with very many alerts. Up to the body limit of 5 MiB, each is decoded or
//! rejected in memory and time proportional to its size.

use std::mem::size_of;

use onceway_signal::limits::MAX_ALERTS;
use onceway_signal::{Entry, Source};

use crate::support::{decode, decode_event, decode_webhook, only, signal_of};

/// The default body limit of filter and sidecar, in bytes.
const BODY: usize = 5 * 1024 * 1024;

/// Deep enough to overflow the stack of any recursive reader.
const DEPTH: usize = 100_000;

/// The text `inner` between `DEPTH` pairs of brackets.
fn nested(open: &str, inner: &str, close: &str) -> String {
    format!("{}{inner}{}", open.repeat(DEPTH), close.repeat(DEPTH))
}

#[test]
fn deep_nesting_in_fields_that_are_not_read_is_accepted() {
    for deep in [nested("[", "", "]"), nested("{\"a\":", "1", "}")] {
        let body = format!(
            r#"{{"x":{deep},"alerts":[{{"y":{deep},"annotations":{{"z":{deep}}},"labels":{{"alertname":"A"}}}}]}}"#
        );
        let payload = decode_webhook(&body);
        let signal = only(&payload).signal.unwrap();
        assert_eq!(signal.annotations.get("z").as_deref(), Some(&*deep));
        let excerpt = payload.excerpt(&[0], None);
        assert_eq!(signal_of(&excerpt).fingerprint(), signal.fingerprint());
        let event = format!(r#"{{"reason":"R","involvedObject":{{"kind":"Pod","name":"p","x":{deep}}},"x":{deep}}}"#);
        assert!(only(&decode_event(&event)).signal.is_ok());
    }
}

#[test]
fn deep_nesting_in_fields_that_are_read_is_rejected() {
    for deep in [nested("[", "", "]"), nested("{\"labels\":", "1", "}"), nested("{\"alerts\":[", "", "]}")] {
        for source in Source::ALL {
            let usable = decode(source, deep.as_bytes()).is_ok_and(|payload| !payload.groups().is_empty());
            assert!(!usable);
        }
        for body in [
            format!(r#"{{"alerts":[{deep}]}}"#),
            format!(r#"{{"alerts":[{{"labels":{deep}}}]}}"#),
            format!(r#"{{"alerts":[{{"labels":{{"alertname":{deep}}}}}]}}"#),
            format!(r#"{{"alerts":[{{"status":{deep}}}]}}"#),
        ] {
            assert!(only(&decode_webhook(&body)).signal.is_err());
        }
    }
}

#[test]
fn unclosed_deep_nesting_is_rejected() {
    for open in ["[", "{\"a\":", "{\"alerts\":[", "{\"alerts\":[{\"labels\":"] {
        let body = open.repeat(BODY / open.len());
        for source in Source::ALL {
            assert!(decode(source, body.as_bytes()).is_err());
        }
    }
}

#[test]
fn five_mebibytes_of_labels_are_decoded() {
    let labels: String = (0..BODY / 12).map(|n| format!(",\"{n:x}\":\"\"")).collect();
    let body = format!(r#"{{"alerts":[{{"labels":{{"alertname":"A"{labels}}}}}]}}"#);
    let signal = signal_of(&body);
    assert_eq!(signal.labels.iter().count(), BODY / 12 + 1);
}

#[test]
fn one_value_of_five_mebibytes_is_decoded() {
    for unit in ["x", r"\u0041", "😀"] {
        let long = unit.repeat(BODY / unit.len());
        let body = format!(r#"{{"alerts":[{{"labels":{{"alertname":"A","severity":"{long}"}}}}]}}"#);
        assert_eq!(signal_of(&body).severity.chars().count(), 50);
        let body = format!(r#"{{"alerts":[{{"labels":{{"alertname":"{long}"}}}}]}}"#);
        assert!(only(&decode_webhook(&body)).signal.is_err());
    }
}

#[test]
fn as_many_alerts_as_the_limit_are_decoded_in_bounded_memory() {
    let body = format!("{{\"alerts\":[{}{{}}]}}", "{},".repeat(MAX_ALERTS - 1));
    assert_eq!(decode_webhook(&body).entries().len(), MAX_ALERTS);
    assert!(size_of::<Entry<'_>>() <= 512, "{} bytes", size_of::<Entry<'_>>());
    let endless = format!("{{\"alerts\":[{}{{}}]}}", "{},".repeat(BODY / 3 - 5));
    assert!(decode(Source::Prometheus, endless.as_bytes()).is_err());
}

#[test]
fn a_genuine_webhook_within_the_body_limit_never_reaches_the_limit_of_alerts() {
    let smallest = concat!(
        r#"{"status":"firing","labels":{},"annotations":{},"startsAt":"2026-08-01T10:00:00Z","#,
        r#""endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"c9b3d1f6a0e4b7d2"},"#
    );
    assert!(BODY / smallest.len() < MAX_ALERTS, "{} bytes", smallest.len());
}
