//! Partial payloads, decoded from the body without the rest of it.

use onceway_signal::rules::Rules;
use onceway_signal::{Payload, State};
use serde_json::json;

use crate::support::{alert, decode, decode_event, decode_webhook, event, webhook};

fn names(payload: &Payload<'_>) -> Vec<String> {
    payload.entries().iter().map(|entry| entry.signal.as_ref().unwrap().name.to_string()).collect()
}

#[test]
fn a_partial_payload_is_the_webhook_with_only_the_chosen_alerts() {
    let body = webhook(&["A", "B", "C"].map(|name| alert(json!({"alertname": name, "node": "n"}))));
    let whole = decode_webhook(&body);
    let partial = whole.partial(&[2, 7, 0]);
    assert_eq!(partial.entries(), 2);
    let read = partial.decode(Rules::built_in(), body.as_bytes()).unwrap();
    assert_eq!(names(&read), ["C", "A"]);
    assert_eq!(read.excerpt(&[0, 1], None), whole.excerpt(&[2, 0], None));
    let partial = read.partial(&[1]);
    assert_eq!(
        names(&partial.decode(Rules::built_in(), body.as_bytes()).unwrap()),
        ["A"],
        "a partial payload of a partial payload refers to the same body"
    );
}

#[test]
fn only_the_ranges_of_the_partial_payload_are_read() {
    let body = webhook(&["A", "B"].map(|name| alert(json!({"alertname": name, "node": "n"}))));
    let partial = decode_webhook(&body).partial(&[1]);
    let (first, second) = (body.find("\"A\"").unwrap(), body.find("\"B\"").unwrap());
    let mut other = body.into_bytes();
    other[first] = b'!';
    assert_eq!(names(&partial.decode(Rules::built_in(), &other).unwrap()), ["B"]);
    other[second] = 0xff;
    assert!(partial.decode(Rules::built_in(), &other).is_none(), "no UTF-8");
    assert!(partial.decode(Rules::built_in(), b"{}").is_none(), "too short");
}

#[test]
fn the_webhooks_state_applies_to_an_alert_without_its_own() {
    let body = r#"{"status":"resolved","alerts":[{"labels":{"alertname":"A"}}]}"#;
    let partial = decode_webhook(body).partial(&[0]);
    let read = partial.decode(Rules::built_in(), body.as_bytes()).unwrap();
    assert_eq!(read.entries()[0].signal.as_ref().unwrap().state, State::Resolved);
}

#[test]
fn a_partial_payload_of_an_event_is_the_event() {
    let body = format!(" {}\n", event(json!({"kind": "Pod", "name": "p"})));
    let whole = decode_event(&body);
    let partial = whole.partial(&[0]);
    assert_eq!(partial.entries(), 1);
    let read = partial.decode(Rules::built_in(), body.as_bytes()).unwrap();
    assert_eq!((names(&read), read.excerpt(&[0], None)), (names(&whole), body.trim().to_owned()));
    assert!(partial.decode(Rules::built_in(), b"gone").is_none());
    assert!(decode(partial.source(), b"gone").is_err());
}

#[test]
fn a_partial_payload_has_the_same_bytes_as_an_excerpt() {
    let own = r#" { "receiver" : "r" , "alerts":[ {"labels":{"alertname":"A"}} , {"labels":{"alertname":"B"},"z":1}],"x":[1] } "#;
    for body in [own, r#"{"alerts":[{}]}"#, r#"{"alerts":[{},{"a":[]}],"a":1}"#, r#"{"a":1,"alerts":[{} ,{}]}"#] {
        let whole = decode_webhook(body);
        for indices in [&[][..], &[0], &[1], &[1, 0], &[0, 7, 1]] {
            let partial = whole.partial(indices);
            let sliced = partial.slice(body.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(sliced.clone()).unwrap(), whole.excerpt(indices, None));
            assert_eq!(partial.size(body.len()), sliced.len(), "{body} {indices:?}");
        }
    }
    assert!(decode_webhook(own).partial(&[0]).slice(b"{}").is_none(), "too short");
    let event = event(json!({"kind": "Pod", "name": "p"})).to_string();
    let partial = decode_event(&event).partial(&[0]);
    assert_eq!(
        (partial.slice(event.as_bytes()), partial.size(event.len())),
        (Some(event.clone().into_bytes()), event.len())
    );
}
