//! Excerpts: some alerts of a webhook as a webhook.

use onceway_signal::Payload;
use serde_json::{Value, from_str, json};

use crate::support::{alert, decode_event, decode_webhook, event, webhook};

/// Own fields on both sides of the alerts, with odd white space and an unknown field.
const BODY: &str = r#" { "receiver" : "r" , "x":[1, 2.50e0] ,
    "alerts" : [ {"labels":{"alertname":"A"}} , {"labels":{"alertname":"BB"},"z":1},{"labels":{"alertname":"C"}} ] ,
    "version" : "4" } "#;
const OWN: &str = "{\"receiver\" : \"r\" , \"x\":[1, 2.50e0],\"version\" : \"4\",\"alerts\":[";
const A: &str = r#"{"labels":{"alertname":"A"}}"#;
const BB: &str = r#"{"labels":{"alertname":"BB"},"z":1}"#;
const C: &str = r#"{"labels":{"alertname":"C"}}"#;

fn excerpt(payload: &Payload<'_>, indices: &[usize], limit: impl Into<Option<usize>>) -> String {
    let limit = limit.into();
    let text = payload.excerpt(indices, limit);
    assert!(limit.is_none_or(|limit| text.len() <= limit), "{text}");
    from_str::<Value>(&text).expect("valid JSON");
    text
}

#[test]
fn an_excerpt_has_the_webhooks_own_fields_and_the_chosen_alerts_byte_for_byte() {
    let payload = decode_webhook(BODY);
    assert_eq!(excerpt(&payload, &[0, 1, 2], None), format!("{OWN}{A},{BB},{C}]}}"));
    assert_eq!(excerpt(&payload, &[2, 0], None), format!("{OWN}{C},{A}]}}"));
    assert_eq!(excerpt(&payload, &[], None), format!("{OWN}]}}"));
}

#[test]
fn an_index_without_an_entry_is_skipped() {
    assert_eq!(excerpt(&decode_webhook(BODY), &[7, 0, usize::MAX], None), format!("{OWN}{A}]}}"));
}

#[test]
fn own_fields_may_be_on_either_side_of_the_alerts_or_missing() {
    for (body, expected) in [
        (r#"{"alerts":[{}]}"#, r#"{"alerts":[{}]}"#),
        (r#"{"alerts":[{}],"a":1}"#, r#"{"a":1,"alerts":[{}]}"#),
        (r#"{"a":1,"alerts":[{}]}"#, r#"{"a":1,"alerts":[{}]}"#),
        (r#"{"a":"}","\u0061lerts":[{}],"b":"\"alerts\":[{}]}"}"#, r#"{"a":"}","b":"\"alerts\":[{}]}","alerts":[{}]}"#),
    ] {
        assert_eq!(excerpt(&decode_webhook(body), &[0], None), expected);
    }
}

#[test]
fn an_alert_that_does_not_fit_is_left_out_as_a_whole_and_a_smaller_one_after_it_is_kept() {
    let payload = decode_webhook(BODY);
    let two = format!("{OWN}{A},{C}]}}");
    assert_eq!(excerpt(&payload, &[0, 1, 2], two.len()), two);
    assert_eq!(excerpt(&payload, &[0, 1, 2], two.len() - 1), format!("{OWN}{A}]}}"));
    let all = format!("{OWN}{A},{BB},{C}]}}");
    assert_eq!(excerpt(&payload, &[0, 1, 2], all.len()), all);
}

#[test]
fn an_excerpt_is_valid_and_within_its_limit_for_ever_smaller_limits() {
    let payload = decode_webhook(BODY);
    let own = format!("{OWN}]}}");
    assert_eq!(excerpt(&payload, &[1], own.len()), own);
    assert_eq!(excerpt(&payload, &[1], own.len() - 1), format!("{{\"alerts\":[{BB}]}}"));
    assert_eq!(excerpt(&payload, &[1], 13), r#"{"alerts":[]}"#);
    for limit in 2..13 {
        assert_eq!(excerpt(&payload, &[1], limit), "{}");
    }
    assert_eq!(payload.excerpt(&[1], Some(1)), "");
    assert_eq!(payload.excerpt(&[1], Some(0)), "");
}

#[test]
fn the_excerpt_of_an_event_is_the_event() {
    let body = format!(" {}\n", event(json!({"kind": "Pod", "name": "p"})));
    let payload = decode_event(&body);
    assert_eq!(excerpt(&payload, &[0], None), body.trim());
    assert_eq!(excerpt(&payload, &[0], body.trim().len()), body.trim());
    assert_eq!(excerpt(&payload, &[0], body.trim().len() - 1), "{}");
}

#[test]
fn three_mebibytes_of_one_incident_are_kept_within_64_kibibytes() {
    let mut one = alert(json!({"alertname": "A", "namespace": "ns", "deployment": "d"}));
    one["annotations"]["description"] = "x".repeat(1_000).into();
    let body = webhook(&vec![one; 3 * 1024 * 1024 / 1_300]);
    let payload = decode_webhook(&body);
    let group = payload.groups().remove(0);
    assert_eq!(group.entries.len(), payload.entries().len());
    let text = excerpt(&payload, &group.entries, 65_536);
    assert!(text.len() > 62_000, "{} bytes", text.len());
    assert_eq!(decode_webhook(&text).groups()[0].fingerprint, group.fingerprint);
}
