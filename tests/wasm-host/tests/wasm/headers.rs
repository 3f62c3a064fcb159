//! Which requests are signal requests, and reserved headers that clients send.

use http::uri::PathAndQuery;
use onceway_signal::Source;
use onceway_wasm_host::{Host, Request};
use proptest::prelude::{prop_assert_eq, prop_assume, proptest};

use super::bodies::{ALERTS, EVENTS, PAYMENT_API, WORKER_NODE, cases, payment_api};

#[test]
fn spoofed_headers_are_dropped_from_every_request() {
    let mut host = Host::new("");
    for request in [
        Request::post(ALERTS),
        Request::post(ALERTS).body("{}"),
        Request::post("/other").body("{}"),
        Request::new("GET", ALERTS),
        Request::new("GET", "/"),
    ] {
        let request = request
            .header("x-onceway-fingerprint", WORKER_NODE)
            .header("x-onceway-fingerprint", PAYMENT_API)
            .header("X-Onceway-Split", "1")
            .header("x-onceway-webhook", PAYMENT_API)
            .header("x-onceway-time-left-ms", "1")
            .header("x-other", "kept");
        let result = host.request(request);
        assert!(result.passed());
        for name in ["x-onceway-fingerprint", "x-onceway-split", "x-onceway-webhook", "x-onceway-time-left-ms"] {
            assert_eq!(result.header(name), Vec::<String>::new(), "{name}");
        }
        assert_eq!(result.header("x-other"), ["kept"]);
    }
}

#[test]
fn a_spoofed_fingerprint_is_replaced_by_the_computed_one() {
    let request = Request::post(ALERTS).header("x-onceway-fingerprint", WORKER_NODE).body(payment_api());
    assert_eq!(Host::new("").request(request).fingerprint().as_deref(), Some(PAYMENT_API));
}

#[test]
fn other_requests_pass_through_unchanged() {
    let mut host = Host::new(r#"{"max_body_bytes": 1}"#);
    for (method, path) in [("POST", "/"), ("POST", "/health"), ("PUT", ALERTS), ("GET", EVENTS), ("CONNECT", "")] {
        let result = host.request(Request::new(method, path).body(payment_api()));
        assert_eq!(result.body(), Some(payment_api().as_bytes()), "{method} {path}");
        assert_eq!((result.fingerprint(), result.decisions()), (None, vec![]), "{method} {path}");
    }
}

#[test]
fn a_header_that_is_not_utf8_is_harmless() {
    let request = Request::post(ALERTS).header("x-name", b"M\xfcller").header(b"x-\xff", "").body(payment_api());
    assert_eq!(Host::new("").request(request).fingerprint().as_deref(), Some(PAYMENT_API));
    let request = Request::new("POST", ALERTS).header("content-length", b"\xff").chunks([payment_api()]);
    assert_eq!(Host::new("").request(request).fingerprint().as_deref(), Some(PAYMENT_API));
}

proptest! {
    #![proptest_config(cases(512))]

    /// The sidecar's router matches the path of the parsed URI. What is not a URI, its HTTP server rejects before routing.
    #[test]
    fn the_filter_and_the_sidecars_router_recognise_the_same_paths(
        path in "(//?|/\\.|)(/?api/?/v1/signals/(prometheus|kubernetes-event)|[!-~]{0,20})(/|%20|;a|)([?#][!-~]{0,9}|)",
    ) {
        let uri = PathAndQuery::try_from(path.as_str());
        prop_assume!(uri.is_ok());
        let routed = uri.ok().and_then(|uri| Source::from_path(uri.path()));
        let result = Host::new("").request(Request::post(&path));
        prop_assert_eq!(result.decisions(), routed.map_or(vec![], |_| vec!["nothing"]));
    }
}
