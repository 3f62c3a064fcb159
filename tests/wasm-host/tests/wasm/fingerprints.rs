//! The fingerprint with which a request goes upstream, in whatever chunks its body arrives.

use onceway_filter::affinity;
use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source};
use onceway_wasm_host::{End, Host, Request};
use serde_json::json;

use super::bodies::{ALERTS, EVENTS, PAYMENT_API, WORKER_NODE, alert, payment_api, webhook};

#[test]
fn a_request_continues_with_its_body_and_its_fingerprint() {
    let result = Host::new("").request(Request::post(ALERTS).header("accept", "*/*").body(payment_api()));
    assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(result.body(), Some(payment_api().as_bytes()));
    assert_eq!(result.header("accept"), ["*/*"]);
    assert_eq!(result.decisions(), ["fingerprinted"]);
}

#[test]
fn an_event_has_the_fingerprint_of_its_involved_object() {
    let event = json!({
        "kind": "Event", "apiVersion": "v1", "type": "Warning", "reason": "NodeNotReady", "metadata": {"name": "e"},
        "involvedObject": {"kind": "Node", "name": "worker-node-1"},
    });
    let result = Host::new("").request(Request::post(EVENTS).body(event.to_string()));
    assert_eq!(result.fingerprint().as_deref(), Some(WORKER_NODE));
}

#[test]
fn a_body_can_be_split_into_chunks_anywhere() {
    let mut host = Host::new("");
    let body = payment_api();
    for cut in 0..=body.len() {
        let (head, tail) = body.as_bytes().split_at(cut);
        let result = host.request(Request::post(ALERTS).chunks([head, tail]));
        assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API), "{cut}");
        assert_eq!(result.body(), Some(body.as_bytes()), "{cut}");
    }
}

#[test]
fn a_body_can_arrive_byte_by_byte() {
    let body = payment_api();
    let result = Host::new("").request(Request::post(ALERTS).chunks(body.as_bytes().chunks(1)));
    assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(result.decisions(), ["fingerprinted"]);
}

#[test]
fn an_end_that_is_announced_separately_is_seen() {
    // As Envoy does for HTTP/1.1: the whole body, then an event with nothing new.
    let body = payment_api();
    let result = Host::new("").request(Request::post(ALERTS).chunks([body.as_str(), ""]));
    assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(result.decisions(), ["fingerprinted"]);
}

#[test]
fn trailers_complete_a_body() {
    let body = payment_api();
    let (head, tail) = body.split_at(100);
    let result = Host::new("").request(Request::post(ALERTS).chunks([head, tail]).trailers());
    assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(result.body(), Some(body.as_bytes()));
}

#[test]
fn trailers_without_a_body_end_the_request() {
    let result = Host::new("").request(Request::post(ALERTS).trailers());
    assert!(result.passed());
    assert_eq!((result.fingerprint(), result.decisions()), (None, vec!["nothing"]));
}

#[test]
fn a_request_without_a_body_passes_through_at_once() {
    let result = Host::new("").request(Request::post(ALERTS));
    assert!(result.passed());
    assert_eq!((result.fingerprint(), result.decisions()), (None, vec!["nothing"]));
}

#[test]
fn an_undecodable_body_passes_through_without_a_fingerprint() {
    let mut host = Host::new("");
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xaa\xae\x05\x00";
    for body in [gzip, b"{\"alerts\":[{}}".as_slice(), b"[]", b"\"\"", b"\xff\xfe", b" "] {
        let result = host.request(Request::post(ALERTS).body(body));
        assert_eq!(result.body(), Some(body));
        assert_eq!((result.fingerprint(), result.decisions()), (None, vec!["undecodable"]), "{body:?}");
    }
}

#[test]
fn a_webhook_without_a_usable_alert_passes_through_without_a_fingerprint() {
    let mut host = Host::new("");
    for body in [webhook([]), webhook([alert(json!({}))])] {
        let result = host.request(Request::post(ALERTS).body(&body));
        assert!(result.passed());
        assert_eq!((result.fingerprint(), result.decisions()), (None, vec!["nothing"]), "{body}");
    }
}

#[test]
fn a_deep_body_does_not_overflow_the_vms_stack() {
    let mut host = Host::new("");
    for body in [
        "[".repeat(200_000),
        format!(r#"{{"alerts":[{}"#, r#"{"labels":"#.repeat(100_000)),
        format!(r#"{{"x":{}1{},"alerts":[]}}"#, "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        let native = affinity(Rules::built_in(), Origin::of(Source::Prometheus), body.as_bytes()).fingerprint();
        let result = host.request(Request::post(ALERTS).body(&body));
        assert!(result.passed(), "{:?}", result.end);
        assert_eq!((result.fingerprint(), native), (None, None));
    }
}

#[test]
fn a_client_that_disconnects_leaves_a_working_vm() {
    let mut host = Host::new("");
    let body = payment_api();
    let (head, _) = body.split_at(100);
    for request in [Request::post(ALERTS), Request::post(ALERTS).chunks([head])] {
        assert_eq!(host.request(request.hangs_up()).end, End::Abandoned);
    }
    assert_eq!(host.request(Request::post(ALERTS).body(&body)).fingerprint().as_deref(), Some(PAYMENT_API));
}
