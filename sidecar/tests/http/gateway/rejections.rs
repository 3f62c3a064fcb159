//! What is rejected, and how. None of it reaches the commit.

use axum::body::Body;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{Method, Request};
use onceway_signal::Source;
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
    assert!(rig.metric("gateway_signals_received_total{source=\"prometheus\",state=\"rejected\"} 3"));
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
    for rejected in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")] {
        assert!(send(rejected, None).await.problem(415, "unsupported-media-type").contains("application/json"));
    }
    let detail = send(Some("application/json"), Some("gzip")).await.problem(415, "unsupported-media-type").to_owned();
    assert!(detail.contains("uncompressed"), "{detail}");
    let long: &str = "x".repeat(10_000).leak();
    assert!(send(Some(long), None).await.problem(415, "unsupported-media-type").len() < 300);
    assert!(send(Some("application/json"), Some(long)).await.problem(415, "unsupported-media-type").len() < 300);
    assert_eq!(rig.ledger.total(), 0);
    for accepted in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;a=b"]
    {
        assert!(matches!(send(Some(accepted), Some("identity")).await.status, 201 | 202), "{accepted}");
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
    assert!(rig.metric("gateway_http_request_duration_seconds_count{path=\"other\",status=\"404\"} 4"));
}

#[tokio::test]
async fn unknown_fields_are_accepted() {
    let rig = Rig::new();
    let mut alert = firing("a");
    alert["novelty"] = json!({"deep": [1, 2, {"x": null}]});
    assert_eq!(rig.post(&[alert]).await.status, 201);
}
