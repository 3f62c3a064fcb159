use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tower::service_fn;

use super::{RETRY_FIRST, RIGHTS, Right, confirm};
use crate::health::Readiness;

/// How a cluster answers one review of access.
type Rule = dyn Fn(usize, &Value) -> (u16, Value) + Send + Sync;

/// A client whose questions `rule` answers, given their number and what they ask for.
fn client(rule: impl Fn(usize, &Value) -> (u16, Value) + Send + Sync + 'static) -> (Client, Arc<Mutex<Vec<Value>>>) {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (seen, rule): (_, Arc<Rule>) = (Arc::clone(&asked), Arc::new(rule));
    let service = service_fn(move |request: Request<Body>| {
        let (seen, rule) = (Arc::clone(&seen), Arc::clone(&rule));
        async move {
            assert_eq!(request.uri().path(), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mut review: Value = serde_json::from_slice(&body).unwrap();
            let asked_for = review["spec"]["resourceAttributes"].clone();
            let number = seen.lock().unwrap().len();
            seen.lock().unwrap().push(asked_for.clone());
            let (code, answer) = rule(number, &asked_for);
            let body = if code == 201 {
                review["status"] = answer;
                review
            } else {
                answer
            };
            let response = Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap();
            Ok::<_, Infallible>(response)
        }
    });
    (Client::new(service, "default"), asked)
}

fn allowed(yes: bool) -> (u16, Value) {
    (201, json!({"allowed": yes}))
}

fn unavailable() -> (u16, Value) {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "away for now", "reason": "ServiceUnavailable", "code": 503});
    (503, status)
}

async fn confirmed(readiness: &Readiness, client: Client) {
    let pending = readiness.pending("permissions", "not asked yet");
    confirm(client, "incidents".into(), Duration::from_secs(1), pending).await;
}

#[tokio::test(start_paused = true)]
async fn each_right_is_asked_for_once_and_the_task_ends_when_all_are_there() {
    let (client, asked) = client(|_, _| allowed(true));
    let readiness = Readiness::default();
    confirmed(&readiness, client).await;
    assert!(readiness.reasons().is_empty());
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), RIGHTS.len());
    let patch = json!({"group": "kubernaut.ai", "resource": "remediationrequests", "subresource": "status",
        "verb": "patch", "namespace": "incidents"});
    assert!(asked.contains(&patch), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_named_until_it_is_granted() {
    let granted = Arc::new(Notify::new());
    let (readiness, watched) = (Readiness::default(), Arc::clone(&granted));
    let (client, _) = client(move |number, asked_for| {
        if number == RIGHTS.len() {
            watched.notify_one();
        }
        allowed(number >= RIGHTS.len() || asked_for["resource"] != "leases" || asked_for["verb"] != "patch")
    });
    let pending = readiness.pending("permissions", "not asked yet");
    let confirming = tokio::spawn(confirm(client, "incidents".into(), Duration::from_secs(1), pending));
    tokio::time::sleep(RETRY_FIRST / 2).await;
    let why = &readiness.reasons()[0].1;
    assert_eq!(why, "missing in namespace incidents: patch leases.coordination.k8s.io");
    granted.notified().await;
    confirming.await.unwrap();
    assert!(readiness.reasons().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_is_away_is_asked_again_until_it_answers() {
    let (client, asked) = client(|number, _| if number < 2 { unavailable() } else { allowed(true) });
    let readiness = Readiness::default();
    let started = Instant::now();
    confirmed(&readiness, client).await;
    assert_eq!(started.elapsed(), RETRY_FIRST + RETRY_FIRST * 2);
    assert_eq!(asked.lock().unwrap().len(), 2 + RIGHTS.len());
}

#[tokio::test(start_paused = true)]
async fn an_api_server_that_hangs_is_given_up_after_a_while() {
    let service = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let readiness = Readiness::default();
    let pending = readiness.pending("permissions", "not asked yet");
    let client = Client::new(service, "default");
    let confirming = tokio::spawn(confirm(client, "incidents".into(), Duration::from_secs(1), pending));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(readiness.reasons()[0].1, "cannot ask the API server: no answer within 1s");
    confirming.abort();
}

#[test]
fn the_role_in_the_repository_grants_just_the_rights_that_are_asked_for() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/base/role.yaml");
    let role: k8s_openapi::api::rbac::v1::Role =
        serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut granted: Vec<String> = Vec::new();
    for rule in role.rules.unwrap() {
        let (groups, resources) = (rule.api_groups.unwrap(), rule.resources.unwrap());
        assert_eq!((groups.len(), resources.len()), (1, 1), "one group and one resource a rule");
        let (resource, subresource) = resources[0].split_once('/').unwrap_or((&resources[0], ""));
        let slash = if subresource.is_empty() { "" } else { "/" };
        granted.extend(rule.verbs.iter().map(|verb| format!("{verb} {resource}.{}{slash}{subresource}", groups[0])));
    }
    let mut needed: Vec<String> = RIGHTS.iter().map(Right::to_string).collect();
    granted.sort();
    needed.sort();
    assert_eq!(granted, needed);
}
