//! What is rejected, and how. None of it reaches the commit.

use axum::body::Body;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{Method, Request};
use onceway::auth::Auth;
use onceway::config::Limits;
use onceway::http::policy::Policy;
use onceway_signal::Source;
use onceway_signal::problem::ProblemTypes;
use serde_json::json;

use super::{Rig, firing, nameless, post, webhook};

#[tokio::test]
async fn a_body_that_is_not_json_gets_400() {
    let rig = Rig::new();
    for body in ["", "{", "[]", "null", "\"alerts\"", "{\"alerts\": 5}"] {
        let got = rig.send(post(Source::Prometheus).body(body.into()).unwrap()).await;
        assert!(!got.problem(400, "malformed-payload").is_empty(), "{body:?}");
    }
    let got = rig.send(post(Source::KubernetesEvent).body(vec![0xff, 0xfe].into()).unwrap()).await;
    got.problem(400, "malformed-payload");
    assert_eq!(rig.ledger.total(), 0);
}

#[tokio::test]
async fn signals_without_a_target_get_400_and_are_named_by_index() {
    let rig = Rig::new();
    let got = rig.post(&[nameless()]).await;
    assert!(got.problem(400, "unusable-signals").starts_with("alerts[0]: "), "{got:?}");
    let got = rig.post(&[nameless(), nameless()]).await;
    got.problem(400, "unusable-signals");
    let messages = got.body["results"].as_array().unwrap().iter().map(|result| result["message"].as_str().unwrap());
    assert!(messages.enumerate().all(|(index, message)| message.starts_with(&format!("alerts[{index}]: "))));
    assert!(rig.metric(
        "gateway_signals_received_total{source_type=\"prometheus\",severity=\"unknown\",state=\"rejected\"} 3"
    ));
    assert_eq!(rig.ledger.total(), 0);
}

#[tokio::test]
async fn of_many_rejected_alerts_the_first_are_named_and_the_summary_counts_all() {
    let rig = Rig::new();
    let mut alerts = vec![nameless(); 300];
    alerts[10] = firing("a");
    alerts[200] = firing("b");
    let got = rig.post(&alerts).await;
    assert_eq!(got.status, 207);
    let results = got.body["results"].as_array().unwrap();
    assert_eq!(results.len(), 103);
    let unnamed = &results[101];
    assert_eq!((&unnamed["status"], &unnamed["standsFor"]), (&json!("rejected"), &json!(198)));
    assert!(unnamed["message"].as_str().unwrap().starts_with("alerts[101] and later"), "{unnamed}");
    assert_eq!((&results[10]["status"], &results[102]["status"]), (&json!("created"), &json!("created")));
    let summary = json!({"total": 300, "created": 2, "deduplicated": 0, "rejected": 298, "failed": 0});
    assert_eq!(got.body["summary"], summary);
    let got = rig.post(&vec![nameless(); 300]).await;
    assert!(got.problem(400, "unusable-signals").contains("300"));
    assert_eq!(got.body["results"].as_array().unwrap().len(), 101);
}

#[tokio::test]
async fn only_plain_json_is_accepted() {
    let rig = Rig::new();
    let send = |media_type: Option<&'static str>, encoding: Option<&'static str>| {
        let mut request = Request::post(Source::Prometheus.path());
        for (name, value) in [(CONTENT_TYPE, media_type), (CONTENT_ENCODING, encoding)] {
            request = value.into_iter().fold(request, |request, value| request.header(name.clone(), value));
        }
        rig.send(request.body(webhook(&[firing("a")]).into()).unwrap())
    };
    for rejected in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"] {
        assert!(send(Some(rejected), None).await.problem(415, "unsupported-media-type").contains("application/json"));
    }
    let detail = send(Some("application/json"), Some("gzip")).await.problem(415, "unsupported-media-type").to_owned();
    assert!(detail.contains("uncompressed"), "{detail}");
    let long: &str = "x".repeat(10_000).leak();
    assert!(send(Some(long), None).await.problem(415, "unsupported-media-type").len() < 300);
    assert!(send(Some("application/json"), Some(long)).await.problem(415, "unsupported-media-type").len() < 300);
    assert_eq!(rig.ledger.total(), 0);
    let json = ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;a=b"];
    for accepted in json.map(Some).into_iter().chain([None, Some("")]) {
        assert!(matches!(send(accepted, Some("identity")).await.status, 201 | 202), "{accepted:?}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_rejected_and_the_right_ones_named() {
    let rig = Rig::new();
    let request = |method: Method, path: &str| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let got = rig.send(request(method, Source::Prometheus.path())).await;
        assert!(got.problem(405, "method-not-allowed").contains("POST"));
        assert_eq!(got.allow.as_deref(), Some("POST"));
    }
    for path in ["/", "/api/v1/signals", "/api/v1/signals/prometheus/", "/metrics"] {
        let got = rig.send(request(Method::POST, path)).await;
        assert!(got.problem(404, "not-found").contains(Source::Prometheus.path()));
        assert_eq!(got.body.get("instance"), None);
    }
    assert!(
        rig.metric("gateway_http_request_duration_seconds_count{endpoint=\"other\",method=\"POST\",status=\"404\"} 4")
    );
    rig.send(request(Method::from_bytes(b"BREW").unwrap(), "/")).await.problem(404, "not-found");
    assert!(
        rig.metric("gateway_http_request_duration_seconds_count{endpoint=\"other\",method=\"other\",status=\"404\"} 1")
    );
}

#[tokio::test]
async fn problems_have_the_types_and_members_that_the_configuration_names() {
    let rig = Rig::with_types(
        Limits::default(),
        Policy::default(),
        |metrics| Auth::disabled(metrics),
        ProblemTypes::Kubernaut,
    );
    let request = || post(Source::Prometheus).header("x-request-id", "7f3c");
    let got = rig.send(request().body("{".into()).unwrap()).await;
    assert_eq!(got.body["type"], "https://kubernaut.ai/problems/validation-error");
    assert_eq!((&got.body["title"], &got.body["kind"]), (&json!("Bad Request"), &json!("malformed-payload")));
    assert_eq!((&got.body["request_id"], &got.body["instance"]), (&json!("7f3c"), &json!(Source::Prometheus.path())));
    let got = rig.send(Request::get("/nowhere").body(Body::empty()).unwrap()).await;
    assert_eq!(got.body["type"], "https://onceway.io/problems/not-found", "which kubernaut has not");
    let ours = Rig::new().send(request().body("{".into()).unwrap()).await;
    assert_eq!((ours.body.get("request_id"), ours.body.get("kind")), (None, None));
}

#[tokio::test]
async fn unknown_fields_are_accepted() {
    let rig = Rig::new();
    let mut alert = firing("a");
    alert["novelty"] = json!({"deep": [1, 2, {"x": null}]});
    assert_eq!(rig.post(&[alert]).await.status, 201);
}
