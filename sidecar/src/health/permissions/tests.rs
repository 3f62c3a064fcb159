use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
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

use super::{Doubt, NO_RR, RETRY_FIRST, RIGHTS, Right, confirm, watch_over};
use crate::health::Readiness;

const SECOND: Duration = Duration::from_secs(1);

/// How a cluster answers one review of access.
type Rule = dyn Fn(usize, &Value) -> (u16, Value) + Send + Sync;

/// A client whose questions `rule` answers, given their number and what they ask for; the CRD is there.
fn client(rule: impl Fn(usize, &Value) -> (u16, Value) + Send + Sync + 'static) -> (Client, Arc<Mutex<Vec<Value>>>) {
    client_of(not_found("NotFound"), rule)
}

fn not_found(reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "not found",
        "reason": reason, "code": 404})
}

/// A client whose read of an RR that does not exist is answered 404 with `no_rr`.
fn client_of(
    no_rr: Value,
    rule: impl Fn(usize, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> (Client, Arc<Mutex<Vec<Value>>>) {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (seen, rule): (_, Arc<Rule>) = (Arc::clone(&asked), Arc::new(rule));
    let service = service_fn(move |request: Request<Body>| {
        let (seen, rule, no_rr) = (Arc::clone(&seen), Arc::clone(&rule), no_rr.clone());
        async move {
            if request.uri().path().ends_with(NO_RR) {
                let body = Body::from(no_rr.to_string().into_bytes());
                return Ok(Response::builder().status(404).body(body).unwrap());
            }
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
    confirm(&client, "incidents", Duration::from_secs(1), pending).await;
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
    let confirming = tokio::spawn(async move {
        confirm(&client, "incidents", Duration::from_secs(1), pending).await;
    });
    tokio::time::sleep(RETRY_FIRST / 2).await;
    let why = &readiness.reasons()[0].1;
    assert!(why.starts_with("missing in namespace incidents: patch leases.coordination.k8s.io; apply"), "{why}");
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
    let confirming = tokio::spawn(async move {
        confirm(&client, "incidents", Duration::from_secs(1), pending).await;
    });
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(readiness.reasons()[0].1, "cannot ask the API server: ServiceError: no answer in time");
    confirming.abort();
}

#[tokio::test(start_paused = true)]
async fn without_the_crd_it_is_not_ready_and_says_what_to_apply() {
    let (client, _) = client_of(json!("404 page not found"), |_, _| allowed(true));
    let readiness = Readiness::default();
    let doubt = Doubt::default();
    let watching = tokio::spawn(watch_over(client, "incidents".into(), SECOND, readiness.clone(), doubt));
    tokio::time::sleep(RETRY_FIRST / 2).await;
    assert!(readiness.reasons()[0].1.contains("deploy/base/crd.yaml"), "{:?}", readiness.reasons());
    watching.abort();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_has_the_rights_asked_for_again_and_one_that_was_taken_away_is_named() {
    let taken = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&taken);
    let (client, _) = client(move |_, asked_for| {
        allowed(!(seen.load(Ordering::SeqCst) && asked_for["resource"] == "leases" && asked_for["verb"] == "create"))
    });
    let (readiness, doubt) = (Readiness::default(), Doubt::default());
    let watching = tokio::spawn(watch_over(client, "incidents".into(), SECOND, readiness.clone(), doubt.clone()));
    tokio::time::sleep(RETRY_FIRST).await;
    assert!(readiness.reasons().is_empty());
    taken.store(true, Ordering::SeqCst);
    tokio::time::sleep(SECOND).await;
    assert!(readiness.reasons().is_empty(), "nobody asks without a reason");
    doubt.raise();
    tokio::time::sleep(RETRY_FIRST / 2).await;
    assert!(readiness.reasons()[0].1.contains("create leases.coordination.k8s.io"), "{:?}", readiness.reasons());
    taken.store(false, Ordering::SeqCst);
    tokio::time::sleep(SECOND).await;
    assert!(readiness.reasons().is_empty());
    watching.abort();
}

#[tokio::test(start_paused = true)]
async fn an_outage_during_doubt_does_not_end_readiness() {
    let away = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&away);
    let (client, _) = client(move |_, _| if seen.load(Ordering::SeqCst) { unavailable() } else { allowed(true) });
    let (readiness, doubt) = (Readiness::default(), Doubt::default());
    let watching = tokio::spawn(watch_over(client, "incidents".into(), SECOND, readiness.clone(), doubt.clone()));
    tokio::time::sleep(RETRY_FIRST).await;
    away.store(true, Ordering::SeqCst);
    doubt.raise();
    tokio::time::sleep(SECOND * 5).await;
    assert!(readiness.reasons().is_empty());
    watching.abort();
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
        let dot = if groups[0].is_empty() { "" } else { "." };
        let object = format!("{resource}{dot}{}{slash}{subresource}", groups[0]);
        granted.extend(rule.verbs.iter().map(|verb| format!("{verb} {object}")));
    }
    let mut needed: Vec<String> = RIGHTS.iter().map(Right::to_string).collect();
    granted.sort();
    needed.sort();
    assert_eq!(granted, needed);
}
