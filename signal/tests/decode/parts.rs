//! Parts of a body, read again from it without the rest.

use onceway_signal::{Payload, State, decode};
use serde_json::json;

use crate::support::{alert, decode_event, decode_webhook, event, webhook};

fn names(payload: &Payload<'_>) -> Vec<String> {
    payload.entries().iter().map(|entry| entry.signal.as_ref().unwrap().name.to_string()).collect()
}

#[test]
fn a_part_is_the_webhook_with_only_the_chosen_alerts() {
    let body = webhook(&["A", "B", "C"].map(|name| alert(json!({"alertname": name, "node": "n"}))));
    let whole = decode_webhook(&body);
    let part = whole.partial(&[2, 7, 0]);
    assert_eq!(part.entries(), 2);
    let read = part.decode(body.as_bytes()).unwrap();
    assert_eq!(names(&read), ["C", "A"]);
    assert_eq!(read.excerpt(&[0, 1], None), whole.excerpt(&[2, 0], None));
    let part = read.partial(&[1]);
    assert_eq!(names(&part.decode(body.as_bytes()).unwrap()), ["A"], "a part of a part has its place in the same body");
}

#[test]
fn nothing_but_the_part_is_read_again() {
    let body = webhook(&["A", "B"].map(|name| alert(json!({"alertname": name, "node": "n"}))));
    let part = decode_webhook(&body).partial(&[1]);
    let (first, second) = (body.find("\"A\"").unwrap(), body.find("\"B\"").unwrap());
    let mut other = body.into_bytes();
    other[first] = b'!';
    assert_eq!(names(&part.decode(&other).unwrap()), ["B"]);
    other[second] = 0xff;
    assert!(part.decode(&other).is_none(), "no UTF-8");
    assert!(part.decode(b"{}").is_none(), "too short");
}

#[test]
fn the_webhooks_state_still_holds_for_an_alert_that_tells_none() {
    let body = r#"{"status":"resolved","alerts":[{"labels":{"alertname":"A"}}]}"#;
    let part = decode_webhook(body).partial(&[0]);
    let read = part.decode(body.as_bytes()).unwrap();
    assert_eq!(read.entries()[0].signal.as_ref().unwrap().state, State::Resolved);
}

#[test]
fn a_part_of_an_event_is_the_event() {
    let body = format!(" {}\n", event(json!({"kind": "Pod", "name": "p"})));
    let whole = decode_event(&body);
    let part = whole.partial(&[0]);
    assert_eq!(part.entries(), 1);
    let read = part.decode(body.as_bytes()).unwrap();
    assert_eq!((names(&read), read.excerpt(&[0], None)), (names(&whole), body.trim().to_owned()));
    assert!(part.decode(b"gone").is_none());
    assert!(decode(part.source(), b"gone").is_err());
}

#[test]
fn a_part_is_sliced_into_what_an_excerpt_of_it_is() {
    let own = r#" { "receiver" : "r" , "alerts":[ {"labels":{"alertname":"A"}} , {"labels":{"alertname":"B"},"z":1}],"x":[1] } "#;
    for body in [own, r#"{"alerts":[{}]}"#, r#"{"alerts":[{},{"a":[]}],"a":1}"#, r#"{"a":1,"alerts":[{} ,{}]}"#] {
        let whole = decode_webhook(body);
        for indices in [&[][..], &[0], &[1], &[1, 0], &[0, 7, 1]] {
            let part = whole.partial(indices);
            let sliced = part.slice(body.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(sliced.clone()).unwrap(), whole.excerpt(indices, None));
            assert_eq!(part.size(body.len()), sliced.len(), "{body} {indices:?}");
        }
    }
    assert!(decode_webhook(own).partial(&[0]).slice(b"{}").is_none(), "too short");
    let event = event(json!({"kind": "Pod", "name": "p"})).to_string();
    let part = decode_event(&event).partial(&[0]);
    assert_eq!((part.slice(event.as_bytes()), part.size(event.len())), (Some(event.clone().into_bytes()), event.len()));
}
