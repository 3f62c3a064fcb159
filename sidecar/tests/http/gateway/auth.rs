//! Senders: refused before their body is read, or for some of their incidents.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http_body_util::StreamBody;
use k8s_openapi::api::authentication::v1::UserInfo;
use onceway::auth::{AccessScope, Auth, Question, Review, Sender, Undecided, Verdict};
use onceway::config::{self, Limits};
use onceway::http::gateway::Gateway;
use onceway::http::policy::Policy;
use onceway::metrics::Metrics;
use onceway::rr::SENDER;
use onceway::traces::{Identity, Traces};
use onceway_signal::Source;
use onceway_signal::problem::ProblemTypes;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::super::ledger::Ledger;
use super::{Got, Rig, fingerprint, firing, nameless, post, resolved, webhook};

/// Knows the token "tenant", which may signal about the namespace "prod". Does not decide about the token "unknown" and
/// the namespace "unknown".
#[derive(Default)]
struct Tenant {
    questions: AtomicUsize,
}

impl Review for Tenant {
    fn token<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Verdict<Sender>, Undecided>> {
        let user = UserInfo { username: Some("system:serviceaccount:prod:am".into()), ..UserInfo::default() };
        let answer = match token {
            "tenant" => Ok(Sender::of(user).map_or(Verdict::Denied, Verdict::Allowed)),
            "unknown" => Err(Undecided { reason: "secret internals".into() }),
            _ => Ok(Verdict::Denied),
        };
        async { answer }.boxed()
    }

    fn access<'a>(&'a self, _: &'a Sender, question: &'a Question) -> BoxFuture<'a, Result<Verdict<()>, Undecided>> {
        self.questions.fetch_add(1, Ordering::SeqCst);
        let namespace = |name: &str| *question == Question::Signal(AccessScope::Namespace(name.into()));
        let answer = match question {
            _ if namespace("prod") => Ok(Verdict::Allowed(())),
            _ if namespace("unknown") => Err(Undecided { reason: "secret internals".into() }),
            _ => Ok(Verdict::Denied),
        };
        async { answer }.boxed()
    }
}

fn rig() -> (Rig, Arc<Tenant>) {
    let tenant = Arc::new(Tenant::default());
    let review: Arc<dyn Review> = Arc::clone(&tenant) as Arc<dyn Review>;
    let rig = Rig::authenticated(Limits::default(), |metrics| {
        Auth::new(review, &config::Auth::default(), Arc::clone(metrics))
    });
    (rig, tenant)
}

async fn send(rig: &Rig, alerts: &[Value]) -> Got {
    let request = post(Source::Prometheus).header(AUTHORIZATION, "Bearer tenant").header("x-request-id", "7f3c");
    rig.send(request.body(webhook(alerts).into()).unwrap()).await
}

fn elsewhere(namespace: &str) -> Value {
    let mut alert = firing("api");
    alert["labels"]["namespace"] = json!(namespace);
    alert
}

/// An alert about a node.
fn node() -> Value {
    json!({"status": "firing", "labels": {"alertname": "Slow", "node": "worker-1"}})
}

#[tokio::test]
async fn a_strangers_request_has_no_span_whatever_its_traceparent_says() {
    let (metrics, tenant) = (Arc::new(Metrics::new()), Arc::new(Tenant::default()));
    let tracing = "tracing: { otlp: { endpoint: \"http://127.0.0.1:9\", timeout: 1s }, sampling: 0 }";
    let tracing = config::Config::parse(tracing).unwrap().tracing;
    let identity = Identity { pod: "onceway-0", namespace: "onceway" };
    let (traces, exporting) = Traces::start(&tracing, identity, Arc::clone(&metrics)).unwrap();
    let auth = Auth::new(tenant, &config::Auth::default(), Arc::clone(&metrics));
    let gateway = Gateway::new(
        Ledger::new(),
        Policy::default(),
        Limits::default(),
        Arc::clone(&metrics),
        Arc::new(auth),
        ProblemTypes::default(),
    );
    let router = gateway.router(traces);
    let send = async |token: &str| {
        let request = post(Source::Prometheus).header(AUTHORIZATION, format!("Bearer {token}"));
        let request = request.header("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let request = request.body(Body::from("no JSON")).unwrap();
        router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    for _ in 0..20 {
        assert_eq!((send("stranger").await, send("unknown").await), (401, 503));
    }
    assert_eq!(send("tenant").await, 400);
    // Nobody takes the spans: those that there are have failed.
    exporting.unwrap().end().await;
    let text = metrics.render().unwrap();
    assert!(text.contains("gateway_trace_spans_total{result=\"failed\"} 1\n"), "{text}");
}

#[tokio::test]
async fn without_valid_credentials_a_request_is_refused_and_its_body_is_not_read() {
    let (rig, tenant) = rig();
    for (value, detail) in [
        (None, "no credentials"),
        (Some("Bearer garbage"), "not valid"),
        (Some("Basic YTpi"), "not one bearer token"),
        (Some(&*format!("Bearer {}", "x".repeat(20_000))), "longer than 16384 bytes"),
    ] {
        // A body that never ends: only a response that does not wait for it can arrive.
        let endless = Body::new(StreamBody::new(futures::stream::pending::<Result<_, std::io::Error>>()));
        let mut request = post(Source::Prometheus);
        if let Some(value) = value {
            request = request.header(AUTHORIZATION, value);
        }
        let got = rig.send(request.body(endless).unwrap()).await;
        assert!(got.problem(401, "unauthenticated").contains(detail), "{got:?}");
        assert_eq!(got.www_authenticate.as_deref(), Some("Bearer"));
        assert_eq!(got.body["instance"], "/api/v1/signals/prometheus");
    }
    assert_eq!((rig.ledger.total(), tenant.questions.load(Ordering::SeqCst)), (0, 0));
}

#[tokio::test]
async fn a_token_that_cannot_be_checked_is_a_503_and_names_no_cause() {
    let (rig, _) = rig();
    let request = post(Source::Prometheus).header(AUTHORIZATION, "Bearer unknown");
    let got = rig.send(request.body(webhook(&[firing("a")]).into()).unwrap()).await;
    assert!(!got.problem(503, "auth-unavailable").contains("internals"));
    assert_eq!((got.retry_after.as_deref(), got.www_authenticate), (Some("1"), None));
}

#[tokio::test]
async fn a_permitted_signal_is_counted_and_its_rr_names_the_sender_and_the_request() {
    let (rig, _) = rig();
    assert_eq!(send(&rig, &[firing("a")]).await.status, 201);
    let provenance = rig.ledger.provenances().swap_remove(0);
    let annotations: Vec<_> = provenance.annotations().into_iter().collect();
    assert_eq!(annotations, [("onceway.io/request-id", "7f3c"), (SENDER, "system:serviceaccount:prod:am")]);
}

#[tokio::test]
async fn without_authentication_no_sender_is_named() {
    let rig = Rig::new();
    let request = post(Source::Prometheus).header(AUTHORIZATION, "Bearer tenant");
    assert_eq!(rig.send(request.body(webhook(&[firing("a")]).into()).unwrap()).await.status, 201);
    let provenances = rig.ledger.provenances();
    let names: Vec<_> = provenances[0].annotations().into_keys().collect();
    assert_eq!(names, ["onceway.io/request-id"]);
}

#[tokio::test]
async fn denied_incidents_are_rejected_and_named_and_the_others_are_counted() {
    let (rig, tenant) = rig();
    let alerts = [elsewhere("bank"), firing("a"), node(), elsewhere("bank"), resolved("b"), nameless()];
    let got = send(&rig, &alerts).await;
    assert_eq!(got.status, 207, "{got:?}");
    let results = got.body["results"].as_array().unwrap();
    let statuses: Vec<&str> = results.iter().map(|result| result["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["rejected", "created", "rejected", "resolved", "rejected"]);
    assert_eq!(results[0]["message"], "the sender may not signal about namespace \"bank\"");
    assert_eq!(results[2]["message"], "the sender may not signal about objects without a namespace");
    assert_eq!((&results[0]["denial"], &results[4]["denial"]), (&json!("forbidden"), &Value::Null));
    assert!(results[0]["fingerprint"].is_string());
    assert_eq!(got.body["summary"], json!({"total": 5, "created": 1, "deduplicated": 0, "rejected": 3, "failed": 0}));
    assert_eq!((rig.ledger.total(), rig.ledger.count(fingerprint("a"))), (1, 1));
    assert_eq!(tenant.questions.load(Ordering::SeqCst), 3, "one question for each scope");
}

#[tokio::test]
async fn a_sender_that_is_denied_everything_gets_403() {
    let (rig, _) = rig();
    let got = send(&rig, &[elsewhere("bank")]).await;
    assert_eq!(got.problem(403, "forbidden"), "the sender may not signal about namespace \"bank\"");
    let got = send(&rig, &[elsewhere("bank"), node()]).await;
    assert!(got.problem(403, "forbidden").starts_with("none of 2 signals is permitted; first: the sender may not"));
    let mut resolved = elsewhere("bank");
    resolved["status"] = json!("resolved");
    send(&rig, &[resolved]).await.problem(403, "forbidden");
    assert_eq!(rig.ledger.total(), 0);
}

#[tokio::test]
async fn ignored_alerts_need_no_right() {
    let (rig, tenant) = rig();
    let watchdog = json!({"status": "firing", "labels": {"alertname": "Watchdog", "severity": "none"}});
    assert_eq!(send(&rig, &[watchdog]).await.status, 200);
    assert_eq!(tenant.questions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_incident_that_cannot_be_checked_is_sent_again_and_never_denied() {
    let (rig, _) = rig();
    let got = send(&rig, &[elsewhere("unknown"), elsewhere("bank"), firing("a")]).await;
    assert!(got.problem(503, "auth-unavailable").starts_with("1 of 3 results were not durably counted"));
    assert_eq!(got.body["results"][0]["failure"]["problem"], "auth-unavailable");
    assert_eq!((rig.ledger.count(fingerprint("a")), rig.ledger.total()), (1, 1));
}
