//! A proxy that fails. It costs a request its affinity, never its delivery, and never the VM.

use std::collections::BTreeSet;

use onceway_wasm_host::{End, Host, Request};

use super::bodies::{ALERTS, PAYMENT_API, deployment, payment_api, webhook};

/// All statuses of the ABI that are no OK, one that it does not have, and the largest that there can be.
const STATUSES: [u32; 10] = [1, 2, 3, 4, 7, 8, 10, 12, 99, u32::MAX];

/// Requests that between them use all that the filter uses of the proxy.
fn requests() -> [Request; 4] {
    [
        Request::post(ALERTS).header("x-onceway-fingerprint", "spoofed").body(payment_api()),
        Request::post(ALERTS).body("{"),
        Request::post(ALERTS).body(" ".repeat(10_000)),
        Request::post(ALERTS).body(webhook(["a", "b", "c"].map(deployment))),
    ]
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
    // Only a split whose answer the proxy did not take is let go on.
    host.fail("proxy_send_local_response", 10);
    for request in requests() {
        host.request(request);
    }
    let of_wasi = ["environ_get", "environ_sizes_get"];
    host.called().into_iter().filter(|call| !of_wasi.contains(&call.as_str())).collect()
}

#[test]
fn the_filter_uses_these_host_functions_and_no_others() {
    let expected = [
        "clock_time_get",
        "proxy_continue_stream",
        "proxy_define_metric",
        "proxy_get_buffer_bytes",
        "proxy_get_header_map_pairs",
        "proxy_http_call",
        "proxy_increment_metric",
        "proxy_log",
        "proxy_remove_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_send_local_response",
        "proxy_set_effective_context",
    ];
    assert_eq!(used(), expected.map(str::to_owned).into());
}

#[test]
fn no_host_function_that_fails_traps_the_filter_or_holds_a_request() {
    for call in used() {
        for status in STATUSES {
            let mut host = host();
            host.fail(&call, status);
            for request in requests() {
                let answer = host.request(request);
                let ended = matches!(answer.end, End::Passed(_) | End::Answered(_));
                // Without it no call is about the request: its stream's maximum ends it.
                let lost = call == "proxy_set_effective_context" && answer.end == End::Hung;
                assert!(ended || lost, "{call} answering {status}: {:?}", answer.end);
            }
            host.heal();
            let answer = host.request(Request::post(ALERTS).body(payment_api()));
            assert_eq!(answer.fingerprint().as_deref(), Some(PAYMENT_API), "after {call} answered {status}");
        }
    }
}

#[test]
fn a_filter_whose_host_fails_from_the_beginning_starts_or_refuses_and_never_traps() {
    for call in used() {
        for status in STATUSES {
            let started = Host::start("{", &[(&call, status)]);
            let trap = started.err().map(|error| error.to_string()).filter(|error| error.contains("trapped"));
            assert_eq!(trap, None, "{call} answering {status}");
        }
    }
}

#[test]
fn a_request_that_the_proxy_failed_goes_on_and_is_counted() {
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
        let answer = host.request(request);
        assert_eq!(answer.body(), Some(payment_api().as_bytes()), "{call}");
        assert_eq!(answer.outcomes(), ["error"], "{call}");
        let [line] = answer.log.as_slice() else { panic!("{call}: {:?}", answer.log) };
        assert!(line.level == 3 && line.message.contains(&format!("{call} failed")), "{call}: {line:?}");
    }
}

#[test]
fn a_refusal_that_the_proxy_fails_leaves_the_request_to_the_sidecar() {
    let mut host = host();
    host.fail("proxy_send_local_response", 10);
    let answer = host.request(Request::post(ALERTS).chunks([" ".repeat(10_000)]));
    assert!(answer.passed());
    assert_eq!(answer.outcomes(), ["error"]);
}
