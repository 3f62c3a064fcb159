//! How often a request crosses the border of the VM. Each crossing costs as much as hundreds of instructions, so one more is a
//! change that must be meant: these lists are complete.

use onceway_wasm_host::{Host, Request, RequestResult};

use super::bodies::{ALERTS, payment_api};

/// What a request of one alert does in a VM that has served another.
fn result(request: &Request) -> RequestResult {
    let mut host = Host::new("");
    host.request(request.clone());
    host.request(request.clone())
}

#[test]
fn a_request_of_one_alert_costs_five_host_calls() {
    let calls = [
        // All headers at once: spoofed ones can be found in no other way.
        "proxy_get_header_map_pairs",
        // The body once, at its end.
        "proxy_get_buffer_bytes",
        // The fingerprint and the hash of the rules. To replace the whole map instead would be to copy all other headers.
        "proxy_replace_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_increment_metric",
    ];
    assert_eq!(result(&Request::post(ALERTS).body(payment_api())).host_calls, calls);
}

#[test]
fn a_body_in_parts_is_read_once_and_costs_no_further_host_call() {
    let body = payment_api();
    let whole = result(&Request::post(ALERTS).body(&body));
    let (first, rest) = body.split_at(100);
    let parts = result(&Request::post(ALERTS).chunks([first, rest, ""]));
    assert_eq!(parts.host_calls, whole.host_calls);
    let trailers = result(&Request::post(ALERTS).chunks([first, rest]).trailers());
    assert_eq!(trailers.host_calls, whole.host_calls);
}

#[test]
fn a_request_of_one_alert_enters_the_vm_as_often_as_the_sdk_has_callbacks() {
    let entries = [
        "proxy_on_context_create",
        "proxy_on_request_headers",
        // For the headers.
        "proxy_on_memory_allocate",
        // The body arrives, and ends: Envoy says so one after the other.
        "proxy_on_request_body",
        "proxy_on_request_body",
        // For the body.
        "proxy_on_memory_allocate",
        // The crate `proxy-wasm` exports all callbacks, so Envoy calls these, too.
        "proxy_on_response_headers",
        "proxy_on_response_body",
        "proxy_on_log",
        "proxy_on_done",
        "proxy_on_delete",
    ];
    assert_eq!(result(&Request::post(ALERTS).chunks([&*payment_api(), ""])).entries, entries);
}

#[test]
fn a_request_to_another_path_costs_one_host_call() {
    let result = result(&Request::new("GET", "/health").header("accept", "*/*"));
    assert_eq!(result.host_calls, ["proxy_get_header_map_pairs"]);
}
