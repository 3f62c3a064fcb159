//! Bodies that are too large: the filter rejects them itself, in the sidecar's format.

use onceway_wasm_host::{Host, LocalResponse, Request};
use serde_json::Value;

use super::bodies::{ALERTS, EVENTS, PAYMENT_API, deployment, own_headers, payment_api, webhook};

const LIMIT: usize = 5 * 1024 * 1024;

fn assert_too_large(rejection: &LocalResponse, limit: usize) {
    assert_eq!(rejection.status, 413);
    assert_eq!(rejection.details, "onceway_payload_too_large");
    assert_eq!(rejection.headers, own_headers("application/problem+json"));
    let problem: Value = serde_json::from_str(&rejection.body).unwrap();
    assert_eq!(problem["type"], "https://onceway.io/problems/payload-too-large");
    assert_eq!(problem["title"], "The payload is too large");
    assert_eq!(problem["status"], 413);
    assert!([ALERTS, EVENTS].contains(&problem["instance"].as_str().unwrap()), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains(&format!("{limit} bytes")), "{problem}");
}

#[test]
fn a_content_length_over_the_limit_is_rejected_before_the_body_arrives() {
    let mut host = Host::new("");
    for path in [ALERTS, EVENTS] {
        let request = Request::post(path).header("content-length", (LIMIT + 1).to_string());
        let result = host.request(request.hangs_up());
        assert_too_large(result.local_response().expect("it is over the limit"), LIMIT);
        assert_eq!(result.decisions(), ["too_large"]);
    }
}

#[test]
fn a_body_is_rejected_as_soon_as_it_exceeds_the_limit() {
    let mut host = Host::new("");
    let megabyte = " ".repeat(1024 * 1024);
    // The sixth chunk crosses the limit; the body never ends.
    let result = host.request(Request::post(ALERTS).chunks(vec![&megabyte; 6]).hangs_up());
    assert_too_large(result.local_response().expect("it is over the limit"), LIMIT);
    assert_eq!(result.decisions(), ["too_large"]);
}

#[test]
fn a_false_content_length_does_not_get_a_body_through() {
    let mut host = Host::new(r#"{"max_body_bytes": 100}"#);
    let request = Request::post(ALERTS).header("content-length", "1").chunks(["a".repeat(101)]);
    assert_too_large(host.request(request).local_response().expect("it is over the limit"), 100);
}

#[test]
fn the_limit_itself_is_allowed() {
    let body = payment_api();
    let mut host = Host::new(&format!(r#"{{"max_body_bytes": {}}}"#, body.len()));
    let result = host.request(Request::post(ALERTS).body(&body));
    assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API));
    let result = host.request(Request::post(ALERTS).body(format!("{body} ")));
    assert!(result.local_response().is_some());
}

#[test]
fn a_webhook_of_the_maximum_size_takes_bounded_memory() {
    // Each with its comma; the rest is for the webhook's own fields.
    let alerts = (LIMIT - 1000) / (deployment("payment-api").to_string().len() + 1);
    let mut body = webhook((0..alerts).map(|_| deployment("payment-api")));
    body.extend(std::iter::repeat_n(' ', LIMIT - body.len()));
    let mut host = Host::new("");
    let result = host.request(Request::post(ALERTS).chunks(body.as_bytes().chunks(64 * 1024)));
    assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API), "{:?}", result.end);
    println!("{alerts} alerts in {LIMIT} bytes: {} fuel, {} bytes of memory", result.fuel, host.memory());
    assert!(host.memory() < 64 * 1024 * 1024, "{}", host.memory());
}

#[test]
fn a_body_gives_back_its_share_of_the_memory_however_its_request_ends() {
    let mut host = Host::new(r#"{"max_body_bytes": 1000000, "max_buffered_bytes": 2000000}"#);
    let large = " ".repeat(900_000);
    for _ in 0..10 {
        assert!(host.request(Request::post(ALERTS).body(&large)).passed());
        assert!(host.request(Request::post(ALERTS).chunks([&large]).hangs_up()).local_response().is_none());
        let result = host.request(Request::post(ALERTS).chunks([&large, &large]));
        assert_eq!(result.local_response().map(|response| response.status), Some(413));
    }
}

#[test]
fn a_vm_that_serves_many_requests_does_not_grow() {
    let mut host = Host::new("");
    let mut serve = |count: usize| {
        for _ in 0..count {
            assert!(host.request(Request::post(ALERTS).body(payment_api())).passed());
            assert!(host.request(Request::post(ALERTS).chunks(["{"]).hangs_up()).body().is_none());
            assert!(host.request(Request::new("GET", "/")).passed());
        }
        host.memory()
    };
    assert_eq!(serve(100), serve(2_000));
}
