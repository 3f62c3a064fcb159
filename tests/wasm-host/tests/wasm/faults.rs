//! A proxy that fails or delivers late. It costs a request its affinity, never its delivery, and never the VM.

use std::collections::BTreeSet;

use onceway_wasm_host::{End, Host, Request, SubResponse};

use super::bodies::{ALERTS, PAYMENT_API, deployment, payment_api, webhook};

/// Every failure status of the ABI, one that it does not define, and the largest possible one.
const STATUSES: [u32; 10] = [1, 2, 3, 4, 7, 8, 10, 12, 99, u32::MAX];

/// Requests that together make every host call of the filter.
fn requests() -> [Request; 4] {
    [
        Request::post(ALERTS).header("x-onceway-fingerprint", "spoofed").body(payment_api()),
        Request::post(ALERTS).body("{"),
        Request::post(ALERTS).body(" ".repeat(10_000)),
        Request::post(ALERTS).body(several()),
    ]
}

fn several() -> String {
    webhook(["a", "b", "c"].map(deployment))
}

fn host() -> Host {
    Host::new(r#"{"max_body_bytes": 5000}"#)
}

/// The host functions that the filter calls.
fn used() -> BTreeSet<String> {
    let mut host = host();
    for request in requests() {
        host.request(request);
    }
    // A split request is resumed only if its response fails.
    host.fail("proxy_send_local_response", 10);
    for request in requests() {
        host.request(request);
    }
    let of_wasi = ["environ_get", "environ_sizes_get"];
    host.called().into_iter().filter(|call| !of_wasi.contains(&call.as_str())).collect()
}

/// Whether the filter can survive this failure. The calls below are made by the crate `proxy-wasm`, which panics on every
/// status except those listed; Envoy returns no others from them.
fn is_survivable(call: &str, status: u32) -> bool {
    match call {
        "proxy_http_call" => [2, 10].contains(&status),
        "proxy_get_property" => [1, 3, 10].contains(&status),
        "proxy_continue_stream" | "proxy_log" | "proxy_set_effective_context" => false,
        _ => true,
    }
}

/// Every host function that the filter calls, with every failure that it can survive.
fn faults() -> impl Iterator<Item = (String, u32)> {
    let faults = used().into_iter().flat_map(|call| STATUSES.map(|status| (call.clone(), status)));
    faults.filter(|(call, status)| is_survivable(call, *status))
}

#[test]
fn the_filter_uses_these_host_functions_and_no_others() {
    let expected = [
        "clock_time_get",
        "proxy_continue_stream",
        "proxy_define_metric",
        "proxy_get_buffer_bytes",
        "proxy_get_header_map_pairs",
        "proxy_get_property",
        "proxy_get_shared_data",
        "proxy_http_call",
        "proxy_increment_metric",
        "proxy_log",
        "proxy_remove_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_send_local_response",
        "proxy_set_effective_context",
        "proxy_set_shared_data",
    ];
    assert_eq!(used(), expected.map(str::to_owned).into());
}

#[test]
fn no_failed_host_call_traps_the_filter_or_hangs_a_request() {
    for (call, status) in faults() {
        let mut host = host();
        host.fail(&call, status);
        for request in requests() {
            let result = host.request(request);
            let ended = matches!(result.end, End::Passed(_) | End::Responded(_));
            assert!(ended, "{call} with status {status}: {:?}", result.end);
        }
        host.heal();
        let result = host.request(Request::post(ALERTS).body(payment_api()));
        assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API), "after {call} with status {status}");
    }
}

#[test]
fn a_filter_whose_host_calls_fail_from_the_beginning_starts_or_rejects_and_never_traps() {
    for (call, status) in faults() {
        let started = Host::start("{", &[(&call, status)]);
        let trap = started.err().map(|error| error.to_string()).filter(|error| error.contains("trapped"));
        assert_eq!(trap, None, "{call} with status {status}");
    }
}

#[test]
fn a_request_with_a_failed_host_call_continues_and_is_counted() {
    let calls = [
        "proxy_get_header_map_pairs",
        "proxy_remove_header_map_value",
        "proxy_get_buffer_bytes",
        "proxy_replace_header_map_value",
    ];
    for call in calls {
        let mut host = host();
        host.fail(call, 10);
        let [request, ..] = requests();
        let result = host.request(request);
        assert_eq!(result.body(), Some(payment_api().as_bytes()), "{call}");
        assert_eq!(result.decisions(), ["error"], "{call}");
        let [line] = result.log.as_slice() else { panic!("{call}: {:?}", result.log) };
        assert!(line.level == 3 && line.message.contains(&format!("{call} failed")), "{call}: {line:?}");
    }
}

#[test]
fn a_request_whose_rejection_fails_passes_through_to_the_sidecar() {
    let mut host = host();
    host.fail("proxy_send_local_response", 10);
    let result = host.request(Request::post(ALERTS).chunks([" ".repeat(10_000)]));
    assert!(result.passed());
    assert_eq!(result.decisions(), ["error"]);
}

#[test]
fn a_sub_response_for_a_client_that_has_left_is_dropped() {
    let mut host = host();
    host.respond(|_| SubResponse::new(201, "{}"));
    let result = host.request(Request::post(ALERTS).body(several()).leaves());
    assert_eq!((&result.end, result.sub_requests.len(), result.decisions()), (&End::Abandoned, 3, vec!["split"]));
    assert!(result.log.is_empty(), "{:?}", result.log);
    let next = host.request(Request::post(ALERTS).body(several()));
    assert!(next.local_response().is_some(), "{:?}", next.end);
}

/// The dispatcher of `proxy-wasm` panics on a token that it does not know. Envoy issues each token and delivers it at most
/// once. If it ever breaks that rule, `FAIL_RELOAD` replaces the VM.
#[test]
fn only_a_sub_response_with_a_token_that_was_never_issued_traps() {
    let mut host = host();
    let trap = host.deliver_to_token(7).expect_err("no token was issued");
    assert!(trap.contains("unreachable"), "{trap}");
    assert!(matches!(host.request(Request::post(ALERTS)).end, End::Trapped(_)));
}

/// The dispatcher also keeps the tokens of cancelled sub-requests.
#[test]
fn a_sub_request_that_is_cancelled_because_its_client_has_left_costs_a_few_bytes() {
    let mut host = Host::new("");
    let body = webhook((0..32).map(|n| deployment(&format!("service-{n}"))));
    let mut cancel = |requests: usize| {
        for _ in 0..requests {
            let result = host.request(Request::post(ALERTS).body(&body).leaves_and_cancels());
            assert_eq!((result.end, result.sub_requests.len()), (End::Abandoned, 32));
        }
        host.memory()
    };
    let before = cancel(10);
    let grown = cancel(1_000) - before;
    println!("{grown} bytes for {} cancelled sub-requests", 32 * 1_000);
    assert!(grown < 32 * 1_000 * 50, "{grown} bytes");
}
