//! The response to a split body equals the sidecar's response to the whole body, byte for byte: the real `.wasm` in front of
//! the sidecar's own HTTP layer, with only the commit scripted.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Request as HttpRequest;
use http_body_util::{BodyExt, Full};
use onceway::auth::Auth;
use onceway::config::{Events, Freshness, Limits};
use onceway::http::gateway::Gateway;
use onceway::http::policy::Policy;
use onceway::incident::{Commit, Counted, Submission, SubmitError};
use onceway::metrics::Metrics;
use onceway::traces::Traces;
use onceway_signal::problem::ProblemTypes;
use onceway_signal::rules::Rules;
use onceway_signal::{Fingerprint, Origin, Source, decode};
use onceway_wasm_host::{End, Host, Request, SubResponse};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use super::bodies::{ALERTS, alert, cases, deployment, webhook};

/// Fails the incidents it is given and counts the others, deterministically.
#[derive(Default)]
struct Scripted(BTreeMap<Fingerprint, SubmitError>);

impl Commit for Scripted {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        if let Some(error) = self.0.get(&submission.fingerprint) {
            return Err(error.clone());
        }
        let digit = submission.fingerprint.as_bytes()[0];
        let first_seen = "2026-03-01T10:00:00Z".parse().expect("a time");
        Ok(Counted {
            created: digit.is_multiple_of(2),
            name: format!("rr-{}", &submission.fingerprint.hex()[..12]),
            namespace: "incidents".to_owned(),
            count: u32::from(digit) + submission.signals.get(),
            first_seen,
            last_seen: first_seen,
        })
    }
}

/// The sidecar's HTTP without sockets.
struct Sidecar {
    runtime: Runtime,
    gateway: Arc<Gateway<Scripted>>,
}

/// A response as the sender sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Response {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    body: String,
}

impl Sidecar {
    fn failing(failures: impl IntoIterator<Item = (Value, SubmitError)>) -> Arc<Sidecar> {
        Sidecar::of(failures, Policy::default())
    }

    fn of(failures: impl IntoIterator<Item = (Value, SubmitError)>, policy: Policy) -> Arc<Sidecar> {
        let failures = failures.into_iter().map(|(alert, error)| (fingerprint(alert), error)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let metrics = Arc::new(Metrics::new());
        let auth = Arc::new(Auth::disabled(&metrics));
        let gateway = Gateway::new(
            Arc::new(Scripted(failures)),
            policy,
            Limits::default(),
            metrics,
            auth,
            ProblemTypes::default(),
        );
        Arc::new(Sidecar { runtime, gateway })
    }

    fn respond(&self, body: &[u8]) -> Response {
        let request = HttpRequest::post(ALERTS).header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request");
        let router = Arc::clone(&self.gateway).router(Traces::off());
        self.runtime.block_on(async {
            let (head, body) = router.oneshot(request).await.expect("a response").into_parts();
            let header = |name| head.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
            let body = body.collect().await.expect("a body").to_bytes();
            Response {
                status: head.status.as_u16(),
                content_type: header("content-type").unwrap_or_default(),
                retry_after: header("retry-after"),
                body: String::from_utf8(body.to_vec()).expect("text"),
            }
        })
    }
}

fn fingerprint(alert: Value) -> Fingerprint {
    let body = webhook([alert]);
    decode(Rules::built_in(), Origin::of(Source::Prometheus), body.as_bytes()).expect("a webhook").groups()[0]
        .fingerprint
}

/// The response that a sender gets through the filter from this sidecar, and the number of sub-requests.
fn through_the_filter(sidecar: &Arc<Sidecar>, body: &str) -> (Response, usize) {
    let mut host = Host::new("");
    let behind = Arc::clone(sidecar);
    host.respond(move |request| {
        let Response { status, content_type, retry_after, body } = behind.respond(&request.body);
        let response = SubResponse::new(status, body).header("content-type", content_type);
        retry_after.into_iter().fold(response, |response, seconds| response.header("retry-after", seconds))
    });
    let result = host.request(Request::post(ALERTS).body(body));
    let response = match result.end {
        End::Passed(body) => sidecar.respond(&body),
        End::Responded(response) => {
            let header = |name| response.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            Response {
                status: u16::try_from(response.status).expect("a status"),
                content_type: header("content-type").unwrap_or_default(),
                retry_after: header("retry-after"),
                body: response.body.clone(),
            }
        }
        end => panic!("{end:?}"),
    };
    (response, result.sub_requests.len())
}

fn resolved(name: &str) -> Value {
    let mut alert = deployment(name);
    alert["status"] = "resolved".into();
    alert
}

fn unusable() -> Value {
    alert(json!({"namespace": "prod"}))
}

#[test]
fn counted_resolved_and_unusable_alerts_get_the_same_response() {
    let sidecar = Sidecar::failing([]);
    let body = webhook([
        unusable(),
        resolved("gone"),
        deployment("a"),
        resolved("b"),
        unusable(),
        deployment("b"),
        deployment("a"),
        deployment("c"),
        resolved("gone"),
    ]);
    let (response, sub_requests) = through_the_filter(&sidecar, &body);
    assert_eq!((response.status, sub_requests), (207, 3));
    assert_eq!(response, sidecar.respond(body.as_bytes()));
}

#[test]
fn unusable_alerts_too_many_to_name_get_the_same_response() {
    let sidecar = Sidecar::failing([]);
    let alerts = (0..250).map(|n| if [77, 203].contains(&n) { deployment(&format!("d{n}")) } else { unusable() });
    let body = webhook(alerts);
    let (response, sub_requests) = through_the_filter(&sidecar, &body);
    assert_eq!((response.status, sub_requests), (207, 2));
    assert_eq!(response, sidecar.respond(body.as_bytes()));
}

#[test]
fn what_only_the_sidecar_rejects_gets_the_same_response() {
    let rules: Rules = serde_json::from_value(json!({"denyNamespaces": ["denied"]})).unwrap();
    let sidecar = Sidecar::of([], Policy::new(rules.into(), Events::default(), Freshness::default()));
    let ahead = |mut alert: Value| {
        alert["startsAt"] = json!("2999-01-01T00:00:00Z");
        alert
    };
    let mut denied = deployment("a");
    denied["labels"]["namespace"] = json!("denied");
    let body = webhook([
        ahead(deployment("c")),
        deployment("a"),
        denied.clone(),
        ahead(deployment("a")),
        unusable(),
        deployment("b"),
        ahead(deployment("b")),
        denied,
        deployment("a"),
        ahead(deployment("a")),
        ahead(deployment("d")),
    ]);
    let (response, sub_requests) = through_the_filter(&sidecar, &body);
    assert_eq!((response.status, sub_requests), (207, 5));
    assert_eq!(response, sidecar.respond(body.as_bytes()));
}

#[test]
fn every_failure_gets_the_same_response() {
    let cause = || "why".to_owned();
    let errors = [
        SubmitError::Overloaded { limit: "maxIncidents", retry_after_s: 4 },
        SubmitError::Draining,
        SubmitError::Deadline { deadline_ms: 8_000, cause: cause() },
        SubmitError::Refused { cause: cause() },
        SubmitError::Unresolved { cause: cause() },
    ];
    for error in errors {
        let sidecar = Sidecar::failing([(deployment("b"), error.clone()), (deployment("c"), SubmitError::Draining)]);
        let body = webhook([unusable(), deployment("a"), deployment("b"), deployment("c"), deployment("d")]);
        let (response, sub_requests) = through_the_filter(&sidecar, &body);
        assert_eq!((response.status, sub_requests), (503, 4), "{error:?}");
        assert_eq!(response, sidecar.respond(body.as_bytes()), "{error:?}");
    }
}

#[test]
fn if_the_first_partition_fails_the_ownerless_alerts_are_reported_on_the_retry() {
    let sidecar = Sidecar::failing([(deployment("a"), SubmitError::Draining)]);
    let body = webhook([unusable(), deployment("a"), deployment("b")]);
    let (response, whole) = (through_the_filter(&sidecar, &body).0, sidecar.respond(body.as_bytes()));
    assert_eq!((response.status, &response.retry_after), (whole.status, &whole.retry_after));
    let summary =
        |response: &Response| serde_json::from_str::<Value>(&response.body).unwrap()["summary"]["failed"].clone();
    assert_eq!((summary(&response), summary(&whole)), (json!(1), json!(1)));
}

fn some_alerts() -> impl Strategy<Value = Vec<Value>> {
    let name = (0..6).prop_map(|n| format!("d{n}"));
    let any = prop_oneof![
        4 => name.clone().prop_map(|name| deployment(&name)),
        2 => name.prop_map(|name| resolved(&name)),
        1 => Just(unusable()),
    ];
    vec(any, 0..24)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_webhook_gets_the_same_response(alerts in some_alerts()) {
        let sidecar = Sidecar::failing([]);
        let body = webhook(alerts);
        prop_assert_eq!(through_the_filter(&sidecar, &body).0, sidecar.respond(body.as_bytes()));
    }
}
