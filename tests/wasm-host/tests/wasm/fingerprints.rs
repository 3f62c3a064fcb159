//! Which fingerprint a request goes upstream with, however its body arrives.

use onceway_filter::affinity;
use onceway_signal::Source;
use onceway_wasm_host::{End, Host, Request};
use serde_json::json;

use super::bodies::{ALERTS, EVENTS, PAYMENT_API, WORKER_NODE, alert, payment_api, webhook};

#[test]
fn a_request_goes_on_with_its_body_and_its_fingerprint() {
    let answer = Host::new("").request(Request::post(ALERTS).header("accept", "*/*").body(payment_api()));
    assert_eq!(answer.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(answer.body(), Some(payment_api().as_bytes()));
    assert_eq!(answer.header("accept"), ["*/*"]);
    assert_eq!(answer.outcomes(), ["fingerprinted"]);
}

#[test]
fn an_event_has_the_fingerprint_of_what_it_is_about() {
    let event = json!({
        "kind": "Event", "apiVersion": "v1", "type": "Warning", "reason": "NodeNotReady", "metadata": {"name": "e"},
        "involvedObject": {"kind": "Node", "name": "worker-node-1"},
    });
    let answer = Host::new("").request(Request::post(EVENTS).body(event.to_string()));
    assert_eq!(answer.fingerprint().as_deref(), Some(WORKER_NODE));
}

#[test]
fn a_body_can_be_cut_anywhere() {
    let mut host = Host::new("");
    let body = payment_api();
    for cut in 0..=body.len() {
        let (head, tail) = body.as_bytes().split_at(cut);
        let answer = host.request(Request::post(ALERTS).chunks([head, tail]));
        assert_eq!(answer.fingerprint().as_deref(), Some(PAYMENT_API), "{cut}");
        assert_eq!(answer.body(), Some(body.as_bytes()), "{cut}");
    }
}

#[test]
fn a_body_can_come_byte_by_byte() {
    let body = payment_api();
    let answer = Host::new("").request(Request::post(ALERTS).chunks(body.as_bytes().chunks(1)));
    assert_eq!(answer.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(answer.outcomes(), ["fingerprinted"]);
}

#[test]
fn an_end_that_is_announced_by_itself_is_seen() {
    // HTTP/1.1 in Envoy: the whole body, then once more with nothing new.
    let body = payment_api();
    let answer = Host::new("").request(Request::post(ALERTS).chunks([body.as_str(), ""]));
    assert_eq!(answer.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(answer.outcomes(), ["fingerprinted"]);
}

#[test]
fn trailers_end_a_body() {
    let body = payment_api();
    let (head, tail) = body.split_at(100);
    let answer = Host::new("").request(Request::post(ALERTS).chunks([head, tail]).trailers());
    assert_eq!(answer.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(answer.body(), Some(body.as_bytes()));
}

#[test]
fn trailers_without_a_body_end_the_request() {
    let answer = Host::new("").request(Request::post(ALERTS).trailers());
    assert!(answer.passed());
    assert_eq!((answer.fingerprint(), answer.outcomes()), (None, vec!["nothing"]));
}

#[test]
fn a_request_without_a_body_goes_on_at_once() {
    let answer = Host::new("").request(Request::post(ALERTS));
    assert!(answer.passed());
    assert_eq!((answer.fingerprint(), answer.outcomes()), (None, vec!["nothing"]));
}

#[test]
fn what_cannot_be_decoded_goes_on_without_a_fingerprint() {
    let mut host = Host::new("");
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xaa\xae\x05\x00";
    for body in [gzip, b"{\"alerts\":[{}}".as_slice(), b"[]", b"\"\"", b"\xff\xfe", b" "] {
        let answer = host.request(Request::post(ALERTS).body(body));
        assert_eq!(answer.body(), Some(body));
        assert_eq!((answer.fingerprint(), answer.outcomes()), (None, vec!["undecodable"]), "{body:?}");
    }
}

#[test]
fn a_webhook_without_a_usable_alert_goes_on_without_a_fingerprint() {
    let mut host = Host::new("");
    for body in [webhook([]), webhook([alert(json!({}))])] {
        let answer = host.request(Request::post(ALERTS).body(&body));
        assert!(answer.passed());
        assert_eq!((answer.fingerprint(), answer.outcomes()), (None, vec!["nothing"]), "{body}");
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
        let native = affinity(Source::Prometheus, body.as_bytes()).fingerprint();
        let answer = host.request(Request::post(ALERTS).body(&body));
        assert!(answer.passed(), "{:?}", answer.end);
        assert_eq!((answer.fingerprint(), native), (None, None));
    }
}

#[test]
fn a_client_that_hangs_up_leaves_a_vm_that_works() {
    let mut host = Host::new("");
    let body = payment_api();
    let (head, _) = body.split_at(100);
    for request in [Request::post(ALERTS), Request::post(ALERTS).chunks([head])] {
        assert_eq!(host.request(request.hangs_up()).end, End::Abandoned);
    }
    assert_eq!(host.request(Request::post(ALERTS).body(&body)).fingerprint().as_deref(), Some(PAYMENT_API));
}
