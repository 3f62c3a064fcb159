use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{KubeReview, MAX_REVIEWS, Settings};
use crate::auth::{AccessScope, Question, Review, Sender, Verdict};
use crate::doubles::wire::{Met, Wire, status};
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;

const TOKENS: &str = "POST /apis/authentication.k8s.io/v1/tokenreviews";
const ACCESSES: &str = "POST /apis/authorization.k8s.io/v1/subjectaccessreviews";
const TIMEOUT: Duration = Duration::from_secs(3);

struct Rig {
    wire: Arc<Wire>,
    review: KubeReview,
    recheck: PermissionRecheck,
    metrics: Arc<Metrics>,
}

impl Rig {
    fn new(line: &str, met: Met) -> Self {
        let wire = Wire::new();
        wire.on(line, met);
        let settings = Settings {
            audiences: vec!["onceway".into()],
            namespace: "incidents".into(),
            gateway_service: "gateway-service".into(),
            call_timeout: TIMEOUT,
        };
        let (recheck, metrics) = (PermissionRecheck::default(), Arc::new(Metrics::new()));
        let review = KubeReview::new(wire.client(), settings, recheck.clone(), Arc::clone(&metrics));
        Self { wire, review, recheck, metrics }
    }

    fn metric(&self, line: &str) -> bool {
        self.metrics.render().unwrap().lines().any(|found| found == line)
    }
}

fn reviewed(status: Value) -> Met {
    let review = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {},
        "spec": {"token": ""}, "status": status});
    Met::Response(201, review)
}

fn access(status: Value) -> Met {
    let review = json!({"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {},
        "spec": {}, "status": status});
    Met::Response(201, review)
}

fn sender() -> Sender {
    let user = json!({"username": "u", "uid": "1", "groups": ["g"], "extra": {"scopes": ["s"]}});
    Sender::of(serde_json::from_value::<UserInfo>(user).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_of_a_wanted_audience_names_its_sender() {
    let status =
        json!({"authenticated": true, "audiences": ["onceway"], "user": {"username": "system:serviceaccount:a:b"}});
    let rig = Rig::new(TOKENS, reviewed(status));
    let Ok(Verdict::Allowed(sender)) = rig.review.token("t").await else { panic!("not allowed") };
    assert_eq!(&**sender.name(), "system:serviceaccount:a:b");
    assert_eq!(rig.wire.made(TOKENS)[0].body["spec"], json!({"token": "t", "audiences": ["onceway"]}));
}

#[tokio::test]
async fn a_token_that_the_api_server_does_not_know_or_that_is_for_another_audience_is_denied() {
    let user = json!({"username": "u"});
    for status in [
        json!({"authenticated": false, "error": "[invalid bearer token]"}),
        json!({"user": user}),
        json!({"authenticated": true, "user": user}),
        json!({"authenticated": true, "audiences": ["other"], "user": user}),
        json!({"authenticated": true, "audiences": ["onceway"], "user": {"username": ""}}),
        json!({"authenticated": true, "audiences": ["onceway"]}),
    ] {
        let rig = Rig::new(TOKENS, reviewed(status.clone()));
        assert_eq!(rig.review.token("t").await, Ok(Verdict::Denied), "{status}");
    }
}

#[tokio::test]
async fn access_is_asked_with_all_that_is_known_of_the_sender() {
    let rig = Rig::new(ACCESSES, access(json!({"allowed": true})));
    let question = Question::Signal(AccessScope::Namespace("shop".into()));
    assert_eq!(rig.review.access(&sender(), &question).await, Ok(Verdict::Allowed(())));
    let asked = json!({"user": "u", "uid": "1", "groups": ["g"], "extra": {"scopes": ["s"]},
        "resourceAttributes": {"verb": "create", "group": "onceway.io", "resource": "signals", "namespace": "shop"}});
    assert_eq!(rig.wire.made(ACCESSES)[0].body["spec"], asked);
}

#[tokio::test]
async fn cluster_scoped_objects_and_the_gateway_have_questions_of_their_own() {
    let denied = json!({"allowed": false, "evaluationError": "a dangling RoleBinding"});
    let rig = Rig::new(ACCESSES, access(denied));
    for (question, attributes) in [
        (
            Question::Signal(AccessScope::Cluster),
            json!({"verb": "create", "group": "onceway.io", "resource": "signals"}),
        ),
        (
            Question::Gateway,
            json!({"verb": "create", "group": "", "resource": "services", "namespace": "incidents",
                "name": "gateway-service"}),
        ),
    ] {
        assert_eq!(rig.review.access(&sender(), &question).await, Ok(Verdict::Denied));
        assert_eq!(rig.wire.made(ACCESSES).last().unwrap().body["spec"]["resourceAttributes"], attributes);
    }
}

#[tokio::test]
async fn an_authenticator_or_authorizer_that_is_away_for_a_while_is_no_denial() {
    for error in
        ["etcdserver: request timed out", "Post \"https://sso\": dial tcp 10.0.0.1:443: connect: connection refused"]
    {
        let rig = Rig::new(TOKENS, reviewed(json!({"authenticated": false, "error": error})));
        assert!(rig.review.token("t").await.unwrap_err().to_string().contains(error));
        let rig = Rig::new(ACCESSES, access(json!({"allowed": false, "evaluationError": error})));
        rig.review.access(&sender(), &Question::Gateway).await.unwrap_err();
    }
    let rig = Rig::new(TOKENS, reviewed(json!(null)));
    rig.review.token("t").await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn no_usable_response_is_no_verdict() {
    for (met, outcome) in [
        (status(500, "InternalError"), "server_error"),
        (status(429, "TooManyRequests"), "throttled"),
        (status(403, "Forbidden"), "forbidden"),
        (Met::Break, "connection"),
        (Met::Silence, "timeout"),
    ] {
        let rig = Rig::new(TOKENS, met);
        let began = Instant::now();
        rig.review.token("t").await.unwrap_err();
        assert!(began.elapsed() <= TIMEOUT);
        let line = format!("{{verb=\"create\",resource=\"tokenreviews\",outcome=\"{outcome}\"}} 1");
        assert!(rig.metric(&format!("gateway_api_calls_total{line}")), "{outcome}");
        let rechecked = timeout(Duration::from_millis(1), rig.recheck.requested()).await.is_ok();
        assert_eq!(rechecked, outcome == "forbidden", "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bounded_number_of_reviews_is_in_flight_and_those_that_wait_have_a_time_limit() {
    let rig = Rig::new(TOKENS, Met::Silence);
    let began = Instant::now();
    let tokens: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let answers = join_all(tokens.iter().map(|token| rig.review.token(token))).await;
    assert!(answers.iter().all(Result::is_err));
    assert_eq!((rig.wire.made(TOKENS).len(), began.elapsed()), (MAX_REVIEWS, TIMEOUT));
}
