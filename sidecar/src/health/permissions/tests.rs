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

use super::{
    ABSENT_RR, FIRST_RETRY_PAUSE, MissingRights, PermissionRecheck, Permissions, REVIEW_RIGHTS, RIGHTS,
    monitor_permissions, wait_until_granted,
};
use crate::health::{Condition, Readiness};

const SECOND: Duration = Duration::from_secs(1);

/// The API server's response to one access review.
type Rule = dyn Fn(usize, &Value) -> (u16, Value) + Send + Sync;

/// A client whose access reviews get the response of `rule`, given their number and attributes; the CRD is served.
fn client(rule: impl Fn(usize, &Value) -> (u16, Value) + Send + Sync + 'static) -> (Client, Arc<Mutex<Vec<Value>>>) {
    client_with(not_found("NotFound"), rule)
}

fn not_found(reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "not found",
        "reason": reason, "code": 404})
}

/// A client whose read of [`ABSENT_RR`] gets a 404 with `absent_rr`.
fn client_with(
    absent_rr: Value,
    rule: impl Fn(usize, &Value) -> (u16, Value) + Send + Sync + 'static,
) -> (Client, Arc<Mutex<Vec<Value>>>) {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let (seen, rule): (_, Arc<Rule>) = (Arc::clone(&asked), Arc::new(rule));
    let service = service_fn(move |request: Request<Body>| {
        let (seen, rule, absent_rr) = (Arc::clone(&seen), Arc::clone(&rule), absent_rr.clone());
        async move {
            if request.uri().path().ends_with(ABSENT_RR) {
                let body = Body::from(absent_rr.to_string().into_bytes());
                return Ok(Response::builder().status(404).body(body).unwrap());
            }
            assert_eq!(request.uri().path(), "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            let mut review: Value = serde_json::from_slice(&body).unwrap();
            let asked_for = review["spec"]["resourceAttributes"].clone();
            let number = seen.lock().unwrap().len();
            seen.lock().unwrap().push(asked_for.clone());
            let (code, response) = rule(number, &asked_for);
            let body = if code == 201 {
                review["status"] = response;
                review
            } else {
                response
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
        "message": "unavailable for now", "reason": "ServiceUnavailable", "code": 503});
    (503, status)
}

fn permissions(client: Client) -> Permissions {
    Permissions::new(client, "incidents", SECOND)
}

async fn wait(readiness: &Readiness, client: Client) {
    let pending = readiness.pending(Condition::Permissions, "not checked yet");
    wait_until_granted(&permissions(client), &mut MissingRights::new(None), pending).await;
}

#[tokio::test(start_paused = true)]
async fn each_permission_is_checked_once_and_the_task_ends_when_all_are_granted() {
    let (client, asked) = client(|_, _| allowed(true));
    let readiness = Readiness::default();
    wait(&readiness, client).await;
    assert!(readiness.reasons().is_empty());
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), RIGHTS.len());
    let patch = json!({"group": "kubernaut.ai", "resource": "remediationrequests", "subresource": "status",
        "verb": "patch", "namespace": "incidents"});
    assert!(asked.contains(&patch), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_named_until_it_is_granted() {
    let granted = Arc::new(Notify::new());
    let (readiness, watched) = (Readiness::default(), Arc::clone(&granted));
    let (client, _) = client(move |number, asked_for| {
        if number == RIGHTS.len() {
            watched.notify_one();
        }
        allowed(number >= RIGHTS.len() || asked_for["resource"] != "leases" || asked_for["verb"] != "patch")
    });
    let pending = readiness.pending(Condition::Permissions, "not checked yet");
    let waiting = tokio::spawn(async move {
        wait_until_granted(&permissions(client), &mut MissingRights::new(None), pending).await;
    });
    tokio::time::sleep(FIRST_RETRY_PAUSE / 2).await;
    let why = &readiness.reasons()[0].1;
    assert!(
        why.starts_with("missing in namespace incidents: patch leases.coordination.k8s.io; install the chart"),
        "{why}"
    );
    granted.notified().await;
    waiting.await.unwrap();
    assert!(readiness.reasons().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_api_server_is_asked_again_until_it_responds() {
    let (client, asked) = client(|number, _| if number < 2 { unavailable() } else { allowed(true) });
    let readiness = Readiness::default();
    let started = Instant::now();
    wait(&readiness, client).await;
    assert_eq!(started.elapsed(), FIRST_RETRY_PAUSE + FIRST_RETRY_PAUSE * 2);
    assert_eq!(asked.lock().unwrap().len(), 2 + RIGHTS.len());
}

#[tokio::test(start_paused = true)]
async fn a_check_of_an_api_server_that_hangs_times_out() {
    let service = service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let readiness = Readiness::default();
    let pending = readiness.pending(Condition::Permissions, "not checked yet");
    let client = Client::new(service, "default");
    let waiting = tokio::spawn(async move {
        wait_until_granted(&permissions(client), &mut MissingRights::new(None), pending).await;
    });
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(readiness.reasons()[0].1, "cannot ask the API server: ServiceError: no response in time");
    waiting.abort();
}

#[tokio::test(start_paused = true)]
async fn without_the_crd_it_is_not_ready_and_names_what_to_apply() {
    let (client, _) = client_with(json!("404 page not found"), |_, _| allowed(true));
    let readiness = Readiness::default();
    let recheck = PermissionRecheck::default();
    let monitor = tokio::spawn(monitor_permissions(permissions(client), readiness.clone(), recheck));
    tokio::time::sleep(FIRST_RETRY_PAUSE / 2).await;
    assert!(readiness.reasons()[0].1.contains("deploy/chart-crds"), "{:?}", readiness.reasons());
    monitor.abort();
}

#[tokio::test(start_paused = true)]
async fn a_recheck_names_a_permission_that_was_revoked() {
    let revoked = Arc::new(AtomicBool::new(false));
    let denied = Arc::clone(&revoked);
    let (client, _) = client(move |_, asked_for| {
        allowed(!(denied.load(Ordering::SeqCst) && asked_for["resource"] == "leases" && asked_for["verb"] == "create"))
    });
    let (readiness, recheck) = (Readiness::default(), PermissionRecheck::default());
    let monitor = tokio::spawn(monitor_permissions(permissions(client), readiness.clone(), recheck.clone()));
    tokio::time::sleep(FIRST_RETRY_PAUSE).await;
    assert!(readiness.reasons().is_empty());
    revoked.store(true, Ordering::SeqCst);
    tokio::time::sleep(SECOND).await;
    assert!(readiness.reasons().is_empty(), "no check without a request");
    recheck.request();
    tokio::time::sleep(FIRST_RETRY_PAUSE / 2).await;
    assert!(readiness.reasons()[0].1.contains("create leases.coordination.k8s.io"), "{:?}", readiness.reasons());
    revoked.store(false, Ordering::SeqCst);
    tokio::time::sleep(SECOND).await;
    assert!(readiness.reasons().is_empty());
    monitor.abort();
}

#[tokio::test(start_paused = true)]
async fn an_outage_during_a_recheck_does_not_end_readiness() {
    let outage = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&outage);
    let (client, _) = client(move |_, _| if down.load(Ordering::SeqCst) { unavailable() } else { allowed(true) });
    let (readiness, recheck) = (Readiness::default(), PermissionRecheck::default());
    let monitor = tokio::spawn(monitor_permissions(permissions(client), readiness.clone(), recheck.clone()));
    tokio::time::sleep(FIRST_RETRY_PAUSE).await;
    outage.store(true, Ordering::SeqCst);
    recheck.request();
    tokio::time::sleep(SECOND * 5).await;
    assert!(readiness.reasons().is_empty());
    monitor.abort();
}

#[tokio::test(start_paused = true)]
async fn the_rights_to_ask_about_senders_are_checked_cluster_wide_and_only_where_senders_are_authenticated() {
    let (client, asked) = client(|_, asked_for| allowed(asked_for["resource"] != "tokenreviews"));
    let (readiness, recheck) = (Readiness::default(), PermissionRecheck::default());
    let needed = Permissions { reviews: true, ..permissions(client.clone()) };
    let monitor = tokio::spawn(monitor_permissions(needed, readiness.clone(), recheck.clone()));
    tokio::time::sleep(FIRST_RETRY_PAUSE / 2).await;
    let why = &readiness.reasons()[0].1;
    let missing =
        "missing in the whole cluster: create tokenreviews.authentication.k8s.io; install the chart deploy/chart";
    assert!(why.starts_with(missing), "{why}");
    let last = asked.lock().unwrap()[RIGHTS.len()..].to_vec();
    assert_eq!(last.len(), REVIEW_RIGHTS.len());
    assert!(last.iter().all(|asked_for| asked_for.get("namespace").is_none()), "{last:?}");
    monitor.abort();

    let readiness = Readiness::default();
    let monitor = tokio::spawn(monitor_permissions(permissions(client), readiness.clone(), recheck));
    tokio::time::sleep(FIRST_RETRY_PAUSE / 2).await;
    assert!(readiness.reasons().is_empty(), "{:?}", readiness.reasons());
    monitor.abort();
}
