//! The core over an in-memory proxy.

use std::rc::Rc;

use onceway_signal::problem::{ProblemKind, ProblemTypes};
use onceway_signal::response::SignalResponse;
use onceway_signal::rules::Rules;
use onceway_signal::{FINGERPRINT_HEADER, Origin, Source};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{Action, Request};
use crate::fake_host::{Call, FakeHost};
use crate::{Affinity, Config, Decision, Shared, affinity};

/// `sha256("prod:Deployment:payment-api")`.
const PAYMENT_API: &str = "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1";
/// `sha256(":Node:worker-node-1")`.
const WORKER_NODE: &str = "54010c454af195aadec824d25dba6fa52adfcc717f0b3f0430e4111acddfe728";

fn webhook(alerts: &[&str]) -> String {
    let alerts: Vec<_> = alerts
        .iter()
        .map(|labels| {
            format!(r#"{{"status":"firing","labels":{labels},"annotations":{{}},"startsAt":"2026-01-02T03:04:05Z"}}"#)
        })
        .collect();
    format!(r#"{{"version":"4","status":"firing","alerts":[{}]}}"#, alerts.join(","))
}

fn payment_api() -> String {
    webhook(&[r#"{"alertname":"Crash","namespace":"prod","deployment":"payment-api"}"#])
}

fn request() -> Request {
    Request::new(Rc::default(), Rc::default())
}

fn limited() -> Request {
    Request::new(Rc::new(Config { max_body_bytes: 10, ..Config::default() }), Rc::default())
}

/// Posts a body in one piece to the path of Alertmanager's webhooks.
fn post(host: &FakeHost, body: &str) -> Action {
    host.buffer(body.as_bytes());
    let mut request = request();
    match request.on_headers(host, false) {
        Action::Pause => request.on_body(host, body.len(), true),
        Action::Continue => Action::Continue,
    }
}

#[test]
fn the_fingerprint_of_one_incident_is_set_before_the_request_continues() {
    let host = FakeHost::post(Source::Prometheus.path());
    assert_eq!(post(&host, &payment_api()), Action::Continue);
    assert_eq!(host.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!(host.counted(), [Decision::Fingerprinted]);
}

#[test]
fn an_event_has_a_fingerprint_too() {
    let host = FakeHost::post(Source::KubernetesEvent.path());
    let event = r#"{"kind":"Event","type":"Warning","reason":"NodeNotReady",
        "involvedObject":{"kind":"Node","name":"worker-node-1"}}"#;
    assert_eq!(post(&host, event), Action::Continue);
    assert_eq!(host.fingerprint().as_deref(), Some(WORKER_NODE));
}

#[test]
fn several_incidents_in_a_body_not_declared_as_json_pass_through_whole_hashed_on_the_first() {
    let node = r#"{"alertname":"Down","node":"worker-node-1"}"#;
    let deployment = r#"{"alertname":"Crash","namespace":"prod","deployment":"payment-api"}"#;
    for (name, value) in [("content-type", "text/plain"), ("content-encoding", "gzip")] {
        let host = FakeHost::post(Source::Prometheus.path()).with(name, value);
        assert_eq!(post(&host, &webhook(&[node, deployment, node])), Action::Continue);
        assert_eq!(host.fingerprint().as_deref(), Some(WORKER_NODE));
        assert_eq!((host.counted(), host.calls(Call::Dispatch)), (vec![Decision::Several], 0));
    }
}

#[test]
fn several_alerts_of_one_incident_have_one_fingerprint() {
    let host = FakeHost::post(Source::Prometheus.path());
    let crash = r#"{"alertname":"Crash","namespace":"prod","deployment":"payment-api"}"#;
    let slow = r#"{"alertname":"Slow","namespace":"prod","deployment":"payment-api"}"#;
    assert_eq!(post(&host, &webhook(&[crash, slow])), Action::Continue);
    assert_eq!(host.counted(), [Decision::Fingerprinted]);
}

#[test]
fn a_body_without_signals_passes_through_without_a_fingerprint() {
    let host = FakeHost::post(Source::Prometheus.path());
    assert_eq!(post(&host, &webhook(&[])), Action::Continue);
    assert_eq!((host.fingerprint(), host.counted()), (None, vec![Decision::Nothing]));
}

#[test]
fn an_undecodable_body_passes_through_without_a_fingerprint() {
    for body in ["{", "[]", "\u{1f}\u{8b}\u{8}", "null"] {
        let host = FakeHost::post(Source::Prometheus.path());
        assert_eq!(post(&host, body), Action::Continue, "{body}");
        assert_eq!((host.fingerprint(), host.counted()), (None, vec![Decision::Undecodable]), "{body}");
        assert_eq!(host.logged().len(), 1);
    }
}

#[test]
fn a_post_without_a_body_passes_through_at_once() {
    let host = FakeHost::post(Source::Prometheus.path());
    assert_eq!(request().on_headers(&host, true), Action::Continue);
    assert_eq!((host.calls(Call::Body), host.counted()), (0, vec![Decision::Nothing]));
}

#[test]
fn an_empty_body_passes_through_without_a_fingerprint() {
    let host = FakeHost::post(Source::Prometheus.path());
    assert_eq!(post(&host, ""), Action::Continue);
    assert_eq!((host.fingerprint(), host.counted()), (None, vec![Decision::Nothing]));
}

#[test]
fn other_requests_pass_through_unchanged() {
    for (method, path) in [("GET", Source::Prometheus.path()), ("POST", "/other")] {
        let host = FakeHost::new(&[(":method", method), (":path", path), ("content-length", "99999999999")]);
        let mut request = request();
        assert_eq!(request.on_headers(&host, false), Action::Continue);
        assert_eq!(request.on_body(&host, usize::MAX, true), Action::Continue);
        assert_eq!(request.on_trailers(&host), Action::Continue);
        assert_eq!((host.counted(), host.calls(Call::Body), host.calls(Call::Set)), (vec![], 0, 0));
    }
}

#[test]
fn spoofed_headers_are_dropped_on_every_path() {
    for path in [Source::Prometheus.path(), "/other"] {
        let spoofed = [(FINGERPRINT_HEADER, PAYMENT_API), ("x-onceway-x", "y"), ("accept", "*/*")];
        let host = FakeHost::new(&[&[(":method", "POST"), (":path", path)], &spoofed[..]].concat());
        request().on_headers(&host, true);
        assert_eq!((host.header(FINGERPRINT_HEADER), host.header("x-onceway-x")), (None, None));
        assert_eq!(host.header("accept").as_deref(), Some("*/*"));
    }
}

#[test]
fn a_body_is_decoded_once_when_it_is_complete() {
    let host = FakeHost::post(Source::Prometheus.path());
    let body = payment_api();
    host.buffer(body.as_bytes());
    let mut request = request();
    assert_eq!(request.on_headers(&host, false), Action::Pause);
    for buffered in [1, 1, body.len(), body.len()] {
        assert_eq!(request.on_body(&host, buffered, false), Action::Pause);
        assert_eq!(host.calls(Call::Body), 0);
    }
    assert_eq!(request.on_body(&host, body.len(), true), Action::Continue);
    assert_eq!(request.on_body(&host, body.len(), true), Action::Continue);
    assert_eq!(request.on_trailers(&host), Action::Continue);
    assert_eq!((host.calls(Call::Body), host.counted()), (1, vec![Decision::Fingerprinted]));
}

#[test]
fn trailers_complete_a_body() {
    let host = FakeHost::post(Source::Prometheus.path());
    let body = payment_api();
    host.buffer(body.as_bytes());
    let mut request = request();
    assert_eq!(request.on_headers(&host, false), Action::Pause);
    assert_eq!(request.on_body(&host, body.len(), false), Action::Pause);
    assert_eq!(request.on_trailers(&host), Action::Continue);
    assert_eq!(host.fingerprint().as_deref(), Some(PAYMENT_API));
}

#[test]
fn a_content_length_over_the_limit_is_rejected_at_the_headers() {
    let config = Rc::new(Config { max_body_bytes: 10, ..Config::default() });
    for length in ["10", "11", "11x"] {
        let path = Source::Prometheus.path();
        let host = FakeHost::new(&[(":method", "POST"), (":path", path), ("content-length", length)]);
        assert_eq!(Request::new(Rc::clone(&config), Rc::default()).on_headers(&host, false), Action::Pause);
        assert_eq!(host.response().is_some(), length == "11", "{length}");
    }
}

#[test]
fn a_body_is_rejected_as_soon_as_it_exceeds_the_limit() {
    let host = FakeHost::post(Source::Prometheus.path());
    let mut request = limited();
    assert_eq!(request.on_headers(&host, false), Action::Pause);
    assert_eq!(request.on_body(&host, 10, false), Action::Pause);
    assert_eq!(host.response(), None);
    assert_eq!(request.on_body(&host, 11, false), Action::Pause);
    assert_eq!(host.response().unwrap().status(), 413);
    // Later events send nothing upstream and cause no second response.
    assert_eq!(request.on_body(&host, 12, true), Action::Pause);
    assert_eq!(request.on_trailers(&host), Action::Pause);
    assert_eq!((host.calls(Call::Respond), host.counted()), (1, vec![Decision::TooLarge]));
}

#[test]
fn a_rejection_names_the_limit_and_what_to_do() {
    let host = FakeHost::post(Source::Prometheus.path()).with("content-length", "5242881");
    assert_eq!(request().on_headers(&host, false), Action::Pause);
    let Some(SignalResponse::Problem(problem)) = host.response() else { panic!("it is over the limit") };
    assert_eq!((problem.status, problem.uri), (413, "https://onceway.io/problems/payload-too-large"));
    assert_eq!(problem.instance, Some(Source::Prometheus.path()));
    assert!(problem.detail.contains("5242880 bytes") && problem.detail.contains("max_body_bytes"), "{problem:?}");
}

#[test]
fn problems_have_the_types_that_the_configuration_names() {
    let host = FakeHost::post(Source::Prometheus.path()).with("content-length", "5242881");
    let config = Config { problem_types: ProblemTypes::Kubernaut, ..Config::default() };
    let mut request = Request::new(Rc::new(config), Rc::default());
    assert_eq!(request.on_headers(&host, false), Action::Pause);
    let Some(SignalResponse::Problem(problem)) = host.response() else { panic!("it is over the limit") };
    assert_eq!(
        (problem.uri, problem.title),
        ("https://kubernaut.ai/problems/payload-too-large", "Request Entity Too Large")
    );
    assert_eq!(problem.kind, Some(ProblemKind::PayloadTooLarge));
}

#[test]
fn a_large_body_without_a_share_gets_503_and_a_small_one_passes_meanwhile() {
    let shared = Rc::<Shared>::default();
    let config = Rc::new(Config { max_buffered_bytes: 1_000_000, ..Config::default() });
    let start = || {
        let (host, mut request) =
            (FakeHost::post(Source::Prometheus.path()), Request::new(Rc::clone(&config), Rc::clone(&shared)));
        assert_eq!(request.on_headers(&host, false), Action::Pause);
        (host, request)
    };
    let (stalled_host, mut stalled) = start();
    assert_eq!(stalled.on_body(&stalled_host, 950_000, false), Action::Pause);

    let (host, mut large) = start();
    assert_eq!(large.on_body(&host, 50_000, false), Action::Pause);
    assert_eq!(host.response(), None);
    assert_eq!(large.on_body(&host, 70_000, false), Action::Pause);
    let Some(SignalResponse::Problem(problem)) = host.response() else { panic!("there is no share for it") };
    assert_eq!((problem.status, problem.uri), (503, "https://onceway.io/problems/overloaded"));
    assert_eq!((problem.retry_after_s, problem.instance), (Some(1), Some(Source::Prometheus.path())));
    assert!(problem.detail.contains("1000000 bytes") && problem.detail.contains("max_buffered_bytes"), "{problem:?}");
    assert_eq!(large.on_body(&host, 80_000, true), Action::Pause);
    assert_eq!((host.calls(Call::Respond), host.counted()), (1, vec![Decision::Shed]));

    let (host, mut small) = start();
    host.buffer(payment_api().as_bytes());
    assert_eq!(small.on_body(&host, payment_api().len(), true), Action::Continue);
    assert_eq!(host.counted(), [Decision::Fingerprinted]);

    drop(stalled);
    let (host, mut large) = start();
    assert_eq!(large.on_body(&host, 70_000, false), Action::Pause);
    assert_eq!(host.response(), None);
}

#[test]
fn a_failed_host_call_costs_the_affinity_and_not_the_request() {
    for call in [Call::Headers, Call::Remove, Call::Body, Call::Set] {
        let host = FakeHost::post(Source::Prometheus.path()).with("x-onceway-x", "y").failing(call);
        assert_eq!(post(&host, &payment_api()), Action::Continue, "{call:?}");
        assert_eq!((host.fingerprint(), host.counted()), (None, vec![Decision::Error]), "{call:?}");
        assert!(host.logged().concat().contains("fake failed with proxy-wasm status 10"), "{:?}", host.logged());
    }
}

#[test]
fn a_request_whose_rejection_fails_passes_through_to_the_sidecar() {
    let host = FakeHost::post(Source::Prometheus.path()).failing(Call::Respond);
    let mut request = limited();
    assert_eq!(request.on_headers(&host, false), Action::Pause);
    assert_eq!(request.on_body(&host, 11, true), Action::Continue);
    assert_eq!(host.counted(), [Decision::Error]);
}

#[test]
fn a_request_with_malformed_headers_passes_through() {
    let host = FakeHost::malformed();
    assert_eq!(request().on_headers(&host, false), Action::Continue);
    assert_eq!(host.counted(), [Decision::Error]);
    assert!(host.logged().concat().contains("not in proxy-wasm's format"), "{:?}", host.logged());
}

proptest! {
    #[test]
    fn a_body_has_the_same_fingerprint_in_any_chunks(cuts in vec(0usize..400, 0..8), trailers: bool) {
        let body = payment_api();
        let host = FakeHost::post(Source::Prometheus.path());
        let mut request = request();
        prop_assert_eq!(request.on_headers(&host, false), Action::Pause);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.sort_unstable();
        for cut in cuts {
            host.buffer(&body.as_bytes()[..cut]);
            prop_assert_eq!(request.on_body(&host, cut, false), Action::Pause);
        }
        host.buffer(body.as_bytes());
        let action = if trailers { request.on_trailers(&host) } else { request.on_body(&host, body.len(), true) };
        prop_assert_eq!(action, Action::Continue);
        prop_assert_eq!(host.fingerprint(), Some(PAYMENT_API.to_owned()));
    }

    #[test]
    fn a_request_with_any_body_ends_and_is_counted_once(body: Vec<u8>, event: bool) {
        let source = if event { Source::KubernetesEvent } else { Source::Prometheus };
        let host = FakeHost::post(source.path());
        host.buffer(&body);
        let mut request = request();
        prop_assert_eq!(request.on_headers(&host, false), Action::Pause);
        let action = request.on_body(&host, body.len(), true);
        prop_assert_eq!(host.counted().len(), 1);
        let affinity = affinity(Rules::built_in(), Origin::of(source), &body);
        let split = matches!(affinity, Affinity::Several { .. });
        prop_assert_eq!(action == Action::Pause, split);
        if !split {
            prop_assert_eq!(host.fingerprint(), affinity.fingerprint().map(|fingerprint| fingerprint.to_string()));
        }
    }

    #[test]
    fn no_order_of_events_panics_or_counts_a_request_twice(
        headers_end: bool,
        events in vec((any::<usize>(), any::<bool>(), any::<bool>()), 0..8),
        failing in any::<Option<u8>>(),
    ) {
        let host = FakeHost::post(Source::Prometheus.path());
        let host = match failing {
            Some(index) => host.failing(Call::ALL[usize::from(index) % Call::ALL.len()]),
            None => host,
        };
        host.buffer(payment_api().as_bytes());
        let mut request = request();
        request.on_headers(&host, headers_end);
        for (buffered, end_of_stream, trailers) in events {
            if trailers {
                request.on_trailers(&host);
            } else {
                request.on_body(&host, buffered, end_of_stream);
            }
        }
        prop_assert!(host.counted().len() <= 1);
        // A request that passes gets the fingerprint and the hash of the rules.
        let (responses, headers) = (host.calls(Call::Respond), host.calls(Call::Set));
        prop_assert!(responses + headers.div_ceil(2) <= 1, "{responses} responses, {headers} headers");
    }
}
