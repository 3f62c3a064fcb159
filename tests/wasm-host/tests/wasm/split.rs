//! Bodies of several incidents: the sub-requests, and the response.

use onceway_signal::problem::{Problem, ProblemKind, ProblemTypes};
use onceway_signal::response::{Metadata, SignalOutcome, SignalResponse, merge};
use onceway_wasm_host::{End, Host, Request, SubRequest, SubResponse};
use serde_json::{Value, from_str};

use super::bodies::{ALERTS, PAYMENT_API, WORKER_NODE, alert, deployment, node, own_headers, payment_api, webhook};

/// The response of a sidecar that created an RR for the fingerprint.
fn created(request: &SubRequest) -> SubResponse {
    sub_response(&merge(vec![outcome(request.authority())]))
}

fn outcome(fingerprint: &str) -> SignalOutcome {
    let metadata = Metadata {
        fingerprint: fingerprint.to_owned(),
        count: 1,
        remediation_request_ref: format!("incidents/rr-{fingerprint}"),
        first_occurrence: "2026-03-01T10:00:00Z".to_owned(),
        last_occurrence: "2026-03-01T10:00:00Z".to_owned(),
    };
    SignalOutcome::counted(true, "incidents".to_owned(), format!("rr-{fingerprint}"), metadata)
}

fn sub_response(response: &SignalResponse) -> SubResponse {
    let sent = SubResponse::new(response.status(), response.to_json()).header("content-type", response.media_type());
    match response.retry_after_s() {
        Some(seconds) => sent.header("retry-after", seconds.to_string()),
        None => sent,
    }
}

#[test]
fn a_sender_that_no_replica_knows_gets_401_and_is_told_how_to_authenticate() {
    let mut host = Host::new("");
    let problem = || SignalResponse::from(Problem::new(ProblemKind::Unauthenticated, "no credentials"));
    host.respond(move |_| sub_response(&problem()));
    let result = host.request(Request::post(ALERTS).body(webhook([deployment("a"), deployment("b")])));
    let response = result.local_response().expect("one response");
    assert_eq!((response.status, result.sub_requests.len()), (401, 2));
    let challenge = ("www-authenticate".to_owned(), "Bearer".to_owned());
    assert!(response.headers.contains(&challenge), "{:?}", response.headers);
}

fn sixty() -> String {
    webhook((0..60).map(|n| deployment(&format!("service-{n}"))))
}

fn statuses(body: &str) -> Vec<String> {
    let body: Value = from_str(body).unwrap();
    let results = body["results"].as_array().unwrap();
    results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_incident_gets_a_sub_request_and_the_sender_one_response() {
    let mut host = Host::new("");
    host.respond(created);
    let alerts = [node("worker-node-1"), deployment("payment-api"), node("worker-node-1")];
    let request = Request::post(&format!("{ALERTS}?team=a"))
        .header("authorization", "Bearer secret")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("x-request-id", "7")
        .header("cookie", "c")
        .header("x-onceway-fingerprint", "spoofed")
        .header("x-onceway-webhook", PAYMENT_API)
        .header("x-onceway-time-left-ms", "1");
    let result = host.request(request.body(webhook(alerts.clone())));

    let [first, second] = result.sub_requests.as_slice() else { panic!("{:?}", result.sub_requests) };
    assert_eq!((first.authority(), second.authority()), (WORKER_NODE, PAYMENT_API));
    for (sent, alerts) in [(first, vec![&alerts[0], &alerts[2]]), (second, vec![&alerts[1]])] {
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(body["alerts"].as_array().unwrap().iter().collect::<Vec<_>>(), alerts);
        assert_eq!(body["receiver"], "onceway");
        assert_eq!((sent.cluster.as_str(), sent.timeout_ms), ("onceway", 9_000));
        for (name, value) in [
            (":method", "POST"),
            (":path", "/api/v1/signals/prometheus?team=a"),
            ("content-type", "application/json"),
            ("authorization", "Bearer secret"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("x-request-id", "7"),
            ("x-onceway-fingerprint", sent.authority()),
            ("x-onceway-time-left-ms", "9000"),
        ] {
            assert_eq!(sent.header(name), [value], "{name}");
        }
        assert!(sent.header("cookie").is_empty());
    }
    let ids = [first, second].map(|sent| sent.header("x-onceway-webhook"));
    assert!(ids[0] == ids[1] && ids[0].len() == 1 && ids[0][0].len() == 64 && ids[0][0] != PAYMENT_API, "{ids:?}");
    let response = result.local_response().expect("one response");
    assert_eq!((response.status, response.details.as_str()), (207, "onceway_split"));
    assert_eq!(response.headers, own_headers("application/json"));
    let merged = merge([WORKER_NODE, PAYMENT_API].map(outcome).to_vec());
    assert_eq!(response.body.as_bytes(), merged.to_json());
    assert_eq!(result.decisions(), ["split"]);
}

#[test]
fn sixty_incidents_are_reported_in_their_order_whatever_order_their_sub_responses_arrive_in() {
    for pick in [|_: usize| 0, |len: usize| len - 1, |len: usize| len / 2] {
        let mut host = Host::new("");
        host.respond_picking(move |in_flight| {
            assert!(in_flight.len() <= 32, "{} in flight", in_flight.len());
            let index = pick(in_flight.len());
            (index, created(&in_flight[index]))
        });
        let result = host.request(Request::post(ALERTS).body(sixty()));
        let expected = merge(result.sub_requests.iter().map(|sent| outcome(sent.authority())).collect());
        assert_eq!(result.sub_requests.len(), 60);
        assert_eq!(result.local_response().unwrap().body.as_bytes(), expected.to_json());
    }
}

#[test]
fn a_failed_partition_makes_the_response_503_and_the_others_are_still_counted() {
    for reset in [true, false] {
        let mut host = Host::new("");
        host.respond(move |request| match (request.authority() == PAYMENT_API, reset) {
            (true, true) => SubResponse::reset(),
            (true, false) => SubResponse::new(504, "upstream request timeout"),
            (false, _) => created(request),
        });
        let alerts = [node("worker-node-1"), deployment("payment-api"), deployment("other")];
        let result = host.request(Request::post(ALERTS).body(webhook(alerts)));
        let response = result.local_response().unwrap();
        assert_eq!(response.status, 503);
        assert!(response.headers.contains(&("retry-after".to_owned(), "1".to_owned())), "{response:?}");
        assert!(response.headers.contains(&("content-type".to_owned(), "application/problem+json".to_owned())));
        assert_eq!(statuses(&response.body), ["created", "failed", "created"]);
    }
}

#[test]
fn sub_requests_that_the_open_breaker_rejects_are_sent_when_it_closes() {
    let mut host = Host::new("");
    host.breaker(3);
    host.respond(created);
    let result = host.request(Request::post(ALERTS).body(sixty()));
    assert_eq!((result.local_response().unwrap().status, result.sub_requests.len()), (207, 60));
}

#[test]
fn a_body_of_which_no_partition_can_be_sent_passes_through_whole() {
    for config in ["", r#"{"cluster": "elsewhere"}"#] {
        let mut host = Host::new(config);
        host.breaker(0);
        let body = webhook([node("worker-node-1"), deployment("payment-api")]);
        let result = host.request(Request::post(ALERTS).body(&body));
        assert_eq!(result.body(), Some(body.as_bytes()));
        assert_eq!(result.fingerprint().as_deref(), Some(WORKER_NODE));
        assert_eq!(result.decisions(), ["several"]);
        assert!(result.log[0].message.contains("proxy_http_call failed"), "{:?}", result.log);
    }
}

#[test]
fn without_a_configured_cluster_sub_requests_go_to_the_cluster_of_the_requests_route() {
    let mut host = Host::new("");
    host.respond(created);
    let clusters = |host: &mut Host| -> Vec<String> {
        let result = host.request(Request::post(ALERTS).body(webhook(["a", "b"].map(deployment))));
        result.sub_requests.into_iter().map(|sent| sent.cluster).collect()
    };
    assert_eq!(clusters(&mut host), ["onceway", "onceway"]);
    host.route_cluster(Some(b"elsewhere"));
    assert_eq!(clusters(&mut host), Vec::<String>::new(), "the proxy has no such cluster");
}

#[test]
fn a_configured_cluster_wins_over_that_of_the_route() {
    let mut host = Host::new(r#"{"cluster": "onceway"}"#);
    host.respond(created);
    host.route_cluster(Some(b"elsewhere"));
    let result = host.request(Request::post(ALERTS).body(webhook(["a", "b"].map(deployment))));
    assert!(result.sub_requests.iter().all(|sent| sent.cluster == "onceway"));
    assert_eq!((result.sub_requests.len(), result.local_response().unwrap().status), (2, 207));
    assert!(!host.called().contains(&"proxy_get_property".to_owned()), "it is not even read");
}

#[test]
fn without_any_cluster_a_body_passes_through_whole() {
    for name in [None, Some(&b""[..]), Some(b"\xff")] {
        let mut host = Host::new("");
        host.route_cluster(name);
        let body = webhook([node("worker-node-1"), deployment("payment-api")]);
        let result = host.request(Request::post(ALERTS).body(&body));
        assert_eq!((result.body(), result.sub_requests.len()), (Some(body.as_bytes()), 0), "{name:?}");
        assert_eq!(result.fingerprint().as_deref(), Some(WORKER_NODE));
        assert_eq!(result.decisions(), ["several"]);
        let [line] = result.log.as_slice() else { panic!("{:?}", result.log) };
        assert!(line.level == 3 && line.message.contains("xds.cluster_name"), "{line:?}");
    }
}

#[test]
fn a_body_with_a_header_to_forward_that_is_not_utf8_passes_through_whole() {
    let body = webhook([node("worker-node-1"), deployment("payment-api")]);
    let result = Host::new("").request(Request::post(ALERTS).header("authorization", b"Basic \xff").body(&body));
    assert_eq!((result.body(), result.fingerprint().as_deref()), (Some(body.as_bytes()), Some(WORKER_NODE)));
    assert_eq!(result.decisions(), ["several"]);
}

#[test]
fn a_client_that_leaves_during_a_split_leaves_a_working_vm() {
    let mut host = Host::new("");
    host.respond(created);
    for _ in 0..3 {
        let result = host.request(Request::post(ALERTS).body(sixty()).leaves());
        assert_eq!((result.end, result.sub_requests.len()), (End::Abandoned, 32));
    }
    assert_eq!(host.request(Request::post(ALERTS).body(sixty())).local_response().unwrap().status, 207);
    assert_eq!(host.request(Request::post(ALERTS).body(payment_api())).fingerprint().as_deref(), Some(PAYMENT_API));
}

#[test]
fn a_body_in_which_one_incident_fires_and_others_are_resolved_passes_through_whole_to_its_owner() {
    let mut resolved = node("worker-node-1");
    resolved["status"] = "resolved".into();
    let body = webhook([resolved, deployment("payment-api"), alert(Value::Null)]);
    let result = Host::new("").request(Request::post(ALERTS).body(&body));
    assert_eq!(result.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!((result.body(), result.decisions()), (Some(body.as_bytes()), vec!["fingerprinted"]));
}

#[test]
fn a_body_not_declared_as_json_passes_through_whole_and_the_sidecar_rejects_it_once() {
    let body = webhook([node("worker-node-1"), deployment("payment-api")]);
    let request = Request::new("POST", ALERTS).header("content-type", "text/plain");
    let result = Host::new("").request(request.body(&body));
    assert_eq!((result.body(), result.fingerprint().as_deref()), (Some(body.as_bytes()), Some(WORKER_NODE)));
    assert_eq!(result.decisions(), ["several"]);
}

#[test]
fn a_body_without_a_declared_type_is_split() {
    let mut host = Host::new("");
    host.respond(created);
    let body = webhook([node("worker-node-1"), deployment("payment-api")]);
    let result = host.request(Request::new("POST", ALERTS).body(&body));
    assert_eq!((result.local_response().unwrap().status, result.sub_requests.len()), (207, 2));
}

#[test]
fn problems_have_the_types_of_the_configuration_and_those_of_sub_responses_are_read_in_any() {
    let mut host = Host::new(r#"{"problem_types": "kubernaut"}"#);
    host.respond(|_| {
        let problem = Problem::new(ProblemKind::Draining, "the replica is shutting down").retry_after(1);
        sub_response(&SignalResponse::from(problem).typed(ProblemTypes::Kubernaut))
    });
    let body = webhook([node("worker-node-1"), deployment("payment-api")]);
    let result = host.request(Request::post(ALERTS).header("x-request-id", "7f3c").body(&body));
    let problem: Value = from_str(&result.local_response().unwrap().body).unwrap();
    assert_eq!(problem["type"], "https://kubernaut.ai/problems/service-unavailable");
    assert_eq!((&problem["title"], &problem["kind"]), (&"Service Unavailable".into(), &"draining".into()));
    assert_eq!(
        (&problem["request_id"], &problem["results"][1]["failure"]["problem"]),
        (&"7f3c".into(), &"draining".into())
    );
}

#[test]
fn the_rejection_of_a_body_that_exceeds_a_limit_of_splitting_names_the_limit() {
    for (config, field) in [
        (r#"{"max_alerts": 59}"#, "max_alerts"),
        (r#"{"max_fingerprints": 59}"#, "max_fingerprints"),
        (r#"{"max_split_bytes": 20000}"#, "max_split_bytes"),
    ] {
        let result = Host::new(config).request(Request::post(ALERTS).body(sixty()));
        let response = result.local_response().unwrap();
        assert_eq!((response.status, result.sub_requests.len()), (413, 0), "{config}");
        assert!(response.body.contains(&format!("raise {field}")), "{}", response.body);
        assert_eq!(result.decisions(), ["too_large"]);
    }
}

#[test]
fn sixty_sub_requests_with_one_in_flight_at_a_time_are_all_sent() {
    let mut host = Host::new(r#"{"max_subrequests_in_flight": 1, "split_timeout_ms": 1000}"#);
    host.respond(created);
    let result = host.request(Request::post(ALERTS).body(sixty()));
    assert_eq!((result.local_response().unwrap().status, result.sub_requests.len()), (207, 60));
    assert!(result.sub_requests.iter().all(|sent| sent.timeout_ms == 1000));
}

#[test]
fn a_vm_that_splits_many_bodies_does_not_grow() {
    let mut host = Host::new("");
    host.respond(created);
    let mut serve = |count: usize| {
        for round in 0..count {
            let request = Request::post(ALERTS).body(sixty());
            host.request(if round % 3 == 0 { request.leaves() } else { request });
        }
        host.memory()
    };
    assert_eq!(serve(30), serve(300));
}
