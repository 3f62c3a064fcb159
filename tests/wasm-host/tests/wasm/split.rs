//! Bodies of several incidents: what the filter sends, and how it ends.

use onceway_signal::response::{Metadata, SignalOutcome, SignalResponse, merge};
use onceway_wasm_host::{End, Host, HttpCall, Reply, Request};
use serde_json::{Value, from_str};

use super::bodies::{ALERTS, PAYMENT_API, WORKER_NODE, alert, deployment, node, payment_api, webhook};

/// What a sidecar replies that created an RR for what the call is hashed on.
fn created(call: &HttpCall) -> Reply {
    reply(&merge(vec![outcome(call.authority())]))
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

fn reply(answer: &SignalResponse) -> Reply {
    let reply = Reply::new(answer.status(), answer.to_json()).header("content-type", answer.media_type());
    match answer.retry_after_s() {
        Some(seconds) => reply.header("retry-after", seconds.to_string()),
        None => reply,
    }
}

fn sixty() -> String {
    webhook((0..60).map(|n| deployment(&format!("service-{n}"))))
}

fn statuses(answer: &str) -> Vec<String> {
    let answer: Value = from_str(answer).unwrap();
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_incident_is_sent_for_itself_and_the_sender_gets_one_answer() {
    let mut host = Host::new("");
    host.reply(created);
    let alerts = [node("worker-node-1"), deployment("payment-api"), node("worker-node-1")];
    let request = Request::post(&format!("{ALERTS}?team=a"))
        .header("authorization", "Bearer secret")
        .header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .header("x-request-id", "7")
        .header("cookie", "c")
        .header("x-onceway-fingerprint", "spoofed");
    let answer = host.request(request.body(webhook(alerts.clone())));

    let [first, second] = answer.http_calls.as_slice() else { panic!("{:?}", answer.http_calls) };
    assert_eq!((first.authority(), second.authority()), (WORKER_NODE, PAYMENT_API));
    for (call, alerts) in [(first, vec![&alerts[0], &alerts[2]]), (second, vec![&alerts[1]])] {
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(body["alerts"].as_array().unwrap().iter().collect::<Vec<_>>(), alerts);
        assert_eq!(body["receiver"], "onceway");
        assert_eq!((call.cluster.as_str(), call.timeout_ms), ("onceway", 9_000));
        for (name, value) in [
            (":method", "POST"),
            (":path", "/api/v1/signals/prometheus?team=a"),
            ("content-type", "application/json"),
            ("authorization", "Bearer secret"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("x-request-id", "7"),
            ("x-onceway-fingerprint", call.authority()),
        ] {
            assert_eq!(call.header(name), [value], "{name}");
        }
        assert!(call.header("cookie").is_empty());
    }
    let response = answer.local_response().expect("one answer");
    assert_eq!((response.status, response.details.as_str()), (207, "onceway_split"));
    assert_eq!(response.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    let merged = merge([WORKER_NODE, PAYMENT_API].map(outcome).to_vec());
    assert_eq!(response.body.as_bytes(), merged.to_json());
    assert_eq!(answer.outcomes(), ["split"]);
}

#[test]
fn sixty_incidents_are_answered_in_their_order_whatever_order_their_replies_come_in() {
    for pick in [|_: usize| 0, |len: usize| len - 1, |len: usize| len / 2] {
        let mut host = Host::new("");
        host.reply_picking(move |calls| {
            assert!(calls.len() <= 32, "{} at once", calls.len());
            let place = pick(calls.len());
            (place, created(&calls[place]))
        });
        let answer = host.request(Request::post(ALERTS).body(sixty()));
        let expected = merge(answer.http_calls.iter().map(|call| outcome(call.authority())).collect());
        assert_eq!(answer.http_calls.len(), 60);
        assert_eq!(answer.local_response().unwrap().body.as_bytes(), expected.to_json());
    }
}

#[test]
fn a_part_that_failed_makes_it_503_and_the_others_are_counted_all_the_same() {
    for reset in [true, false] {
        let mut host = Host::new("");
        host.reply(move |call| match (call.authority() == PAYMENT_API, reset) {
            (true, true) => Reply::reset(),
            (true, false) => Reply::new(504, "upstream request timeout"),
            (false, _) => created(call),
        });
        let alerts = [node("worker-node-1"), deployment("payment-api"), deployment("other")];
        let answer = host.request(Request::post(ALERTS).body(webhook(alerts)));
        let response = answer.local_response().unwrap();
        assert_eq!(response.status, 503);
        assert!(response.headers.contains(&("retry-after".to_owned(), "1".to_owned())), "{response:?}");
        assert!(response.headers.contains(&("content-type".to_owned(), "application/problem+json".to_owned())));
        assert_eq!(statuses(&response.body), ["created", "failed", "created"]);
    }
}

#[test]
fn parts_that_the_proxy_holds_back_are_sent_as_it_lets_them() {
    let mut host = Host::new("");
    host.breaker(3);
    host.reply(created);
    let answer = host.request(Request::post(ALERTS).body(sixty()));
    assert_eq!((answer.local_response().unwrap().status, answer.http_calls.len()), (207, 60));
}

#[test]
fn a_proxy_that_sends_no_part_at_all_gets_the_body_whole() {
    for config in ["", r#"{"cluster": "elsewhere"}"#] {
        let mut host = Host::new(config);
        host.breaker(0);
        let body = webhook([node("worker-node-1"), deployment("payment-api")]);
        let answer = host.request(Request::post(ALERTS).body(&body));
        assert_eq!(answer.body(), Some(body.as_bytes()));
        assert_eq!(answer.fingerprint().as_deref(), Some(WORKER_NODE));
        assert_eq!(answer.outcomes(), ["several"]);
        assert!(answer.log[0].message.contains("proxy_http_call failed"), "{:?}", answer.log);
    }
}

#[test]
fn a_client_that_leaves_in_between_leaves_a_vm_that_works() {
    let mut host = Host::new("");
    host.reply(created);
    for _ in 0..3 {
        let answer = host.request(Request::post(ALERTS).body(sixty()).leaves());
        assert_eq!((answer.end, answer.http_calls.len()), (End::Abandoned, 32));
    }
    assert_eq!(host.request(Request::post(ALERTS).body(sixty())).local_response().unwrap().status, 207);
    assert_eq!(host.request(Request::post(ALERTS).body(payment_api())).fingerprint().as_deref(), Some(PAYMENT_API));
}

#[test]
fn a_body_in_which_one_incident_fires_and_others_are_resolved_goes_whole_to_that_ones_owner() {
    let mut resolved = node("worker-node-1");
    resolved["status"] = "resolved".into();
    let body = webhook([resolved, deployment("payment-api"), alert(Value::Null)]);
    let answer = Host::new("").request(Request::post(ALERTS).body(&body));
    assert_eq!(answer.fingerprint().as_deref(), Some(PAYMENT_API));
    assert_eq!((answer.body(), answer.outcomes()), (Some(body.as_bytes()), vec!["fingerprinted"]));
}

#[test]
fn what_is_not_announced_as_json_goes_whole_for_the_sidecar_to_refuse_once() {
    let body = webhook([node("worker-node-1"), deployment("payment-api")]);
    let request = Request::new("POST", ALERTS).header("content-type", "text/plain");
    let answer = Host::new("").request(request.body(&body));
    assert_eq!((answer.body(), answer.fingerprint().as_deref()), (Some(body.as_bytes()), Some(WORKER_NODE)));
    assert_eq!(answer.outcomes(), ["several"]);
}

#[test]
fn what_is_too_much_to_be_split_is_refused_with_the_limits_name() {
    for (config, field) in [
        (r#"{"max_alerts": 59}"#, "max_alerts"),
        (r#"{"max_fingerprints": 59}"#, "max_fingerprints"),
        (r#"{"max_split_bytes": 20000}"#, "max_split_bytes"),
    ] {
        let answer = Host::new(config).request(Request::post(ALERTS).body(sixty()));
        let response = answer.local_response().unwrap();
        assert_eq!((response.status, answer.http_calls.len()), (413, 0), "{config}");
        assert!(response.body.contains(&format!("raise {field}")), "{}", response.body);
        assert_eq!(answer.outcomes(), ["too_large"]);
    }
}

#[test]
fn parts_whose_turn_comes_too_late_are_not_sent() {
    let mut host = Host::new(r#"{"max_subrequests_in_flight": 1, "split_timeout_ms": 1000}"#);
    host.reply(created);
    let answer = host.request(Request::post(ALERTS).body(sixty()));
    assert_eq!((answer.local_response().unwrap().status, answer.http_calls.len()), (207, 60));
    assert!(answer.http_calls.iter().all(|call| call.timeout_ms == 1000));
}

#[test]
fn a_vm_that_splits_many_bodies_does_not_grow() {
    let mut host = Host::new("");
    host.reply(created);
    let mut serve = |count: usize| {
        for round in 0..count {
            let request = Request::post(ALERTS).body(sixty());
            host.request(if round % 3 == 0 { request.leaves() } else { request });
        }
        host.memory()
    };
    assert_eq!(serve(30), serve(300));
}
