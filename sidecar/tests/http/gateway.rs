//! The signal port's responses, without sockets.

mod auth;
mod bodies;
mod outcomes;
mod policy;
mod rejections;
mod senders;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::request::Builder;
use http::{Request, Response};
use http_body_util::BodyExt;
use onceway::auth::Auth;
use onceway::config::{DEADLINE_GRACE, Limits};
use onceway::http::gateway::Gateway;
use onceway::http::policy::Policy;
use onceway::incident::SubmitError;
use onceway::metrics::Metrics;
use onceway::traces::Traces;
use onceway_signal::problem::ProblemTypes;
use onceway_signal::rules::Rules;
use onceway_signal::{Fingerprint, Origin, Source, decode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::ledger::{Ledger, Script};

/// A gateway over a [`Ledger`], without sockets.
struct Rig {
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    router: Router,
}

/// The response as a sender sees it.
#[derive(Debug)]
struct Got {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    allow: Option<String>,
    www_authenticate: Option<String>,
    body: Value,
}

impl Rig {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        Self::of(limits, Policy::default(), |metrics| Auth::disabled(metrics))
    }

    /// A gateway with this authentication of senders.
    fn authenticated(limits: Limits, auth: impl FnOnce(&Arc<Metrics>) -> Auth) -> Self {
        Self::of(limits, Policy::default(), auth)
    }

    /// A gateway with this policy.
    fn with_policy(limits: Limits, policy: Policy) -> Self {
        Self::of(limits, policy, |metrics| Auth::disabled(metrics))
    }

    fn of(limits: Limits, policy: Policy, auth: impl FnOnce(&Arc<Metrics>) -> Auth) -> Self {
        Self::with_types(limits, policy, auth, ProblemTypes::default())
    }

    /// A gateway whose problems have these types.
    fn with_types(
        limits: Limits,
        policy: Policy,
        auth: impl FnOnce(&Arc<Metrics>) -> Auth,
        types: ProblemTypes,
    ) -> Self {
        let (ledger, metrics) = (Ledger::new(), Arc::new(Metrics::new()));
        let auth = Arc::new(auth(&metrics));
        let router = Gateway::new(Arc::clone(&ledger), policy, limits, Arc::clone(&metrics), auth, types);
        let router = router.router(Traces::off());
        Self { ledger, metrics, router }
    }

    async fn send(&self, request: Request<Body>) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        Got::read(response).await
    }

    /// Posts a webhook of `alerts`.
    async fn post(&self, alerts: &[Value]) -> Got {
        self.send(post(Source::Prometheus).body(webhook(alerts).into()).unwrap()).await
    }

    fn metric(&self, line: &str) -> bool {
        self.metrics.render().unwrap().lines().any(|found| found == line)
    }
}

impl Got {
    async fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let header = |name| head.headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap().to_owned());
        let (content_type, retry_after) = (header(CONTENT_TYPE).unwrap_or_default(), header(RETRY_AFTER));
        let allow = header(http::header::ALLOW);
        let www_authenticate = header(http::header::WWW_AUTHENTICATE);
        let body = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&body).unwrap();
        Self { status: head.status.as_u16(), content_type, retry_after, allow, www_authenticate, body }
    }

    /// Asserts that this is a well-formed problem of the kind `slug`, and returns its detail.
    fn problem(&self, status: u16, slug: &str) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.content_type, "application/problem+json");
        assert_eq!(self.body["type"], format!("https://onceway.io/problems/{slug}"));
        assert_eq!(self.body["status"], status);
        assert!(self.body["title"].is_string());
        assert_eq!(self.retry_after.is_some(), status >= 500, "{self:?}");
        self.body["detail"].as_str().unwrap()
    }
}

fn post(source: Source) -> Builder {
    Request::post(source.path()).header(CONTENT_TYPE, "application/json")
}

fn webhook(alerts: &[Value]) -> String {
    json!({"version": "4", "alerts": alerts}).to_string()
}

fn firing(deployment: &str) -> Value {
    let labels = json!({"alertname": "Slow", "severity": "warning", "namespace": "prod", "deployment": deployment});
    json!({"status": "firing", "labels": labels, "startsAt": "2026-03-01T10:00:00Z"})
}

fn resolved(deployment: &str) -> Value {
    let mut alert = firing(deployment);
    alert["status"] = json!("resolved");
    alert
}

/// An alert without a name, which is always rejected.
fn nameless() -> Value {
    json!({"status": "firing", "labels": {"namespace": "prod"}})
}

fn fingerprint(deployment: &str) -> Fingerprint {
    let body = webhook(&[firing(deployment)]);
    decode(Rules::built_in(), Origin::of(Source::Prometheus), body.as_bytes()).unwrap().groups()[0].fingerprint
}

#[tokio::test]
async fn the_first_signal_creates_and_the_next_one_is_a_duplicate() {
    let rig = Rig::new();
    let first = rig.post(&[firing("api")]).await;
    assert_eq!((first.status, first.content_type.as_str()), (201, "application/json"));
    assert_eq!(first.body["fingerprint"], fingerprint("api").to_string());
    let second = rig.post(&[firing("api")]).await;
    assert_eq!((second.status, &second.body["metadata"]["count"]), (202, &json!(2)));
    assert_eq!(second.body["metadata"]["lastOccurrence"], "2026-03-01T10:00:00Z");
    assert_eq!(rig.ledger.specs().len(), 1);
    assert!(
        rig.metric(
            "gateway_signals_received_total{source_type=\"prometheus\",severity=\"warning\",state=\"firing\"} 2"
        )
    );
}

#[tokio::test]
async fn alerts_of_one_incident_get_one_outcome_and_all_count() {
    let rig = Rig::new();
    let got = rig.post(&[firing("api"), resolved("api"), firing("api")]).await;
    assert_eq!((got.status, &got.body["metadata"]["count"]), (201, &json!(2)));
}

#[tokio::test]
async fn the_firing_signals_of_an_incident_are_submitted_by_name() {
    let rig = Rig::new();
    let named = |name: &str, severity: &str| {
        let mut alert = firing("a");
        (alert["labels"]["alertname"], alert["labels"]["severity"]) = (json!(name), json!(severity));
        alert
    };
    let alerts =
        [firing("a"), named("Down", "critical"), firing("b"), named("Slow", "error"), resolved("a"), nameless()];
    assert_eq!(rig.post(&alerts).await.status, 207);
    let entry = |name: &str, count, severity: &str| (name.to_owned(), count, severity.to_owned());
    assert_eq!(rig.ledger.list(fingerprint("a")), [entry("Slow", 2, "error"), entry("Down", 1, "critical")]);
    assert_eq!(rig.ledger.list(fingerprint("b")), [entry("Slow", 1, "warning")]);
}

#[tokio::test]
async fn an_event_is_accepted_on_its_own_path() {
    let rig = Rig::new();
    let event = |kind: &str| {
        json!({"type": kind, "reason": "BackOff",
            "involvedObject": {"kind": "Deployment", "name": "api", "namespace": "prod", "apiVersion": "apps/v1"}})
    };
    let send = |event: Value| rig.send(post(Source::KubernetesEvent).body(event.to_string().into()).unwrap());
    let got = send(event("Warning")).await;
    assert_eq!((got.status, &got.body["fingerprint"]), (201, &json!(fingerprint("api").to_string())));
    let got = send(event("Normal")).await;
    assert_eq!((got.status, &got.body["message"]), (200, &json!("nothing to do: the event reports nothing to repair")));
    let detail =
        send(json!({"type": "Warning", "reason": "BackOff"})).await.problem(400, "unusable-signals").to_owned();
    assert!(detail.contains("involvedObject") && !detail.contains("alerts["), "{detail}");
    assert_eq!(rig.ledger.total(), 1);
}

#[tokio::test]
async fn resolved_alerts_and_empty_webhooks_create_nothing() {
    let rig = Rig::new();
    assert_eq!(rig.post(&[resolved("api")]).await.status, 200);
    assert_eq!(rig.post(&[]).await.status, 200);
    assert_eq!(rig.ledger.total(), 0);
}

#[tokio::test]
async fn outcomes_are_in_the_order_of_the_webhook() {
    let rig = Rig::new();
    rig.post(&[firing("b")]).await;
    let got = rig.post(&[resolved("a"), firing("b"), nameless(), firing("c"), firing("b")]).await;
    assert_eq!(got.status, 207);
    let results = got.body["results"].as_array().unwrap();
    let statuses: Vec<&Value> = results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["resolved", "duplicate", "rejected", "created"]);
    assert!(results[2]["message"].as_str().unwrap().starts_with("alerts[2]: "), "{results:?}");
    assert_eq!(got.body["summary"], json!({"total": 4, "created": 1, "deduplicated": 1, "rejected": 1, "failed": 0}));
    assert_eq!((rig.ledger.count(fingerprint("b")), rig.ledger.count(fingerprint("c"))), (3, 1));
}

#[tokio::test]
async fn an_incident_that_fails_makes_the_response_503_and_the_others_still_count() {
    let rig = Rig::new();
    let full = SubmitError::Overloaded { limit: "limits.maxQueuePerIncident", retry_after_s: 3 };
    rig.ledger.script(fingerprint("b"), Script::Fail(full.clone()));
    rig.ledger.script(fingerprint("d"), Script::Fail(full));
    let got = rig.post(&[firing("a"), firing("b"), firing("c"), firing("d")]).await;
    assert!(got.problem(503, "overloaded").contains("limits.maxQueuePerIncident"));
    assert_eq!(got.retry_after.as_deref(), Some("3"));
    assert_eq!(got.body["instance"], "/api/v1/signals/prometheus");
    assert_eq!(rig.ledger.total(), 2);
    assert!(rig.metric("gateway_http_requests_shed_total{limit=\"limits.maxQueuePerIncident\"} 1"));
}

#[tokio::test]
async fn every_commit_failure_has_its_own_problem_kind() {
    let deadline = SubmitError::Deadline { deadline_ms: 8000, cause: "the API server does not respond".into() };
    let cases = [
        (SubmitError::Draining, "draining"),
        (SubmitError::Unresolved { cause: "the response was lost".into() }, "outcome-unknown"),
        (SubmitError::Refused { cause: "403 on creating a lease".into() }, "refused"),
        (deadline, "deadline-exceeded"),
    ];
    for (error, slug) in cases {
        let rig = Rig::new();
        rig.ledger.script(fingerprint("a"), Script::Fail(error.clone()));
        assert_eq!(rig.post(&[firing("a")]).await.problem(503, slug), error.sender_text());
    }
}

#[tokio::test]
async fn an_incident_that_a_policy_denies_is_rejected_and_its_neighbours_are_counted() {
    let rig = Rig::new();
    rig.ledger.script(fingerprint("a"), Script::Fail(SubmitError::Denied { cause: "no repairs on Fridays".into() }));
    let got = rig.post(&[firing("a"), firing("b")]).await;
    assert_eq!((got.status, rig.ledger.count(fingerprint("b"))), (207, 1));
    let body = got.body.to_string();
    assert!(body.contains("an admission policy of the cluster forbids a remediation here"), "{body}");
    assert!(!body.contains("Fridays"), "{body}");
    rig.post(&[firing("a")]).await.problem(403, "forbidden");
    assert!(rig.metric("gateway_signals_rejected_total{reason=\"policy\"} 2"));
}

#[tokio::test]
async fn a_panic_fails_one_request_and_no_other() {
    let rig = Rig::new();
    rig.ledger.script(fingerprint("a"), Script::Panic);
    rig.post(&[firing("a")]).await.problem(500, "internal");
    assert_eq!(rig.post(&[firing("b")]).await.status, 201);
    assert!(rig.metric("gateway_panics_total 1"));
    assert!(rig.metric("gateway_http_requests_in_flight 0"));
}

#[tokio::test(start_paused = true)]
async fn a_request_gets_a_response_by_its_deadline_even_if_the_commit_hangs() {
    let rig = Rig::new();
    rig.ledger.script(fingerprint("a"), Script::Hang);
    let started = tokio::time::Instant::now();
    rig.post(&[firing("a")]).await.problem(503, "deadline-exceeded");
    assert_eq!(started.elapsed(), Limits::default().deadline + DEADLINE_GRACE);
}

#[tokio::test(start_paused = true)]
async fn an_incident_whose_turn_comes_after_the_deadline_is_not_submitted() {
    let rig = Rig::with(Limits { max_incidents_per_request_in_flight: 1, ..Limits::default() });
    rig.ledger.script(fingerprint("a"), Script::Hang);
    let got = rig.post(&[firing("a"), firing("b")]).await;
    assert_eq!(got.problem(503, "deadline-exceeded").split(' ').next(), Some("2"));
    assert_eq!(rig.ledger.count(fingerprint("b")), 0);
}

#[tokio::test]
async fn signals_of_a_sender_that_disconnected_are_still_counted() {
    let rig = Rig::new();
    rig.ledger.script(fingerprint("a"), Script::Hold);
    let request = post(Source::Prometheus).body(Body::from(webhook(&[firing("a")]))).unwrap();
    let pending = tokio::spawn(rig.router.clone().oneshot(request));
    rig.ledger.held.notified().await;
    pending.abort();
    assert!(pending.await.unwrap_err().is_cancelled());
    rig.ledger.release.notify_one();
    while rig.ledger.total() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_header_with_another_fingerprint_is_counted_and_ignored() {
    let rig = Rig::new();
    let send = |fingerprint: String| {
        let request = post(Source::Prometheus).header("x-onceway-fingerprint", fingerprint);
        rig.send(request.body(webhook(&[firing("a"), firing("b")]).into()).unwrap())
    };
    send(fingerprint("a").to_string()).await;
    assert!(rig.metric("gateway_fingerprint_mismatches_total 0"));
    send(fingerprint("b").to_string()).await;
    assert!(rig.metric("gateway_fingerprint_mismatches_total 1"));
    assert_eq!((rig.ledger.count(fingerprint("a")), rig.ledger.count(fingerprint("b"))), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn an_incident_that_hangs_keeps_no_other_of_its_webhook_from_being_counted() {
    let rig = Rig::new();
    rig.ledger.script(fingerprint("stuck"), Script::Hang);
    let mut alerts = vec![firing("stuck")];
    alerts.extend((0..100).map(|n| firing(&format!("other-{n:03}"))));
    let got = rig.post(&alerts).await;
    got.problem(503, "deadline-exceeded");
    assert_eq!(rig.ledger.total(), 100);
    let results = got.body["results"].as_array().unwrap();
    assert_eq!((&results[0]["status"], &results[100]["status"]), (&json!("failed"), &json!("created")));
    let last = fingerprint("other-099").to_string();
    assert_eq!(results[100]["fingerprint"], last, "in the order of the webhook, not of completion");
}
