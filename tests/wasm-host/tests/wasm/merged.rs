//! The answer to a body that the filter splits is the sidecar's answer to the whole, byte for byte: the real `.wasm` before
//! the sidecar's own HTTP, with nothing but the commit made up.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Request as HttpRequest;
use http_body_util::{BodyExt, Full};
use onceway::config::Limits;
use onceway::http::gateway::Gateway;
use onceway::incident::{Commit, Counted, Submission, SubmitError};
use onceway::metrics::Metrics;
use onceway_signal::{Fingerprint, Source, decode};
use onceway_wasm_host::{End, Host, Reply, Request};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

use super::bodies::{ALERTS, alert, cases, deployment, webhook};

/// Does with each incident what its name says, the same each time.
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

/// What a sender sees of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    body: String,
}

impl Sidecar {
    fn failing(failures: impl IntoIterator<Item = (Value, SubmitError)>) -> Arc<Sidecar> {
        let failures = failures.into_iter().map(|(alert, error)| (fingerprint(alert), error)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let gateway = Gateway::new(Arc::new(Scripted(failures)), Limits::default(), Arc::new(Metrics::new()));
        Arc::new(Sidecar { runtime, gateway })
    }

    fn answer(&self, body: &[u8]) -> Seen {
        let request = HttpRequest::post(ALERTS).header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::copy_from_slice(body))).expect("a request");
        let router = Arc::clone(&self.gateway).router();
        self.runtime.block_on(async {
            let (head, body) = router.oneshot(request).await.expect("an answer").into_parts();
            let header = |name| head.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
            let body = body.collect().await.expect("a body").to_bytes();
            Seen {
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
    decode(Source::Prometheus, body.as_bytes()).expect("a webhook").groups()[0].fingerprint
}

/// The answer that a sender gets from the filter before this sidecar, and how many parts it was split into.
fn through_the_filter(sidecar: &Arc<Sidecar>, body: &str) -> (Seen, usize) {
    let mut host = Host::new("");
    let behind = Arc::clone(sidecar);
    host.reply(move |call| {
        let Seen { status, content_type, retry_after, body } = behind.answer(&call.body);
        let reply = Reply::new(status, body).header("content-type", content_type);
        retry_after.into_iter().fold(reply, |reply, seconds| reply.header("retry-after", seconds))
    });
    let answer = host.request(Request::post(ALERTS).body(body));
    let seen = match answer.end {
        End::Passed(body) => sidecar.answer(&body),
        End::Answered(response) => {
            let header = |name| response.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            Seen {
                status: u16::try_from(response.status).expect("a status"),
                content_type: header("content-type").unwrap_or_default(),
                retry_after: header("retry-after"),
                body: response.body.clone(),
            }
        }
        end => panic!("{end:?}"),
    };
    (seen, answer.http_calls.len())
}

fn resolved(name: &str) -> Value {
    let mut alert = deployment(name);
    alert["status"] = "resolved".into();
    alert
}

fn useless() -> Value {
    alert(json!({"namespace": "prod"}))
}

#[test]
fn what_is_counted_resolved_and_useless_is_told_alike() {
    let sidecar = Sidecar::failing([]);
    let body = webhook([
        useless(),
        resolved("gone"),
        deployment("a"),
        resolved("b"),
        useless(),
        deployment("b"),
        deployment("a"),
        deployment("c"),
        resolved("gone"),
    ]);
    let (seen, parts) = through_the_filter(&sidecar, &body);
    assert_eq!((seen.status, parts), (207, 3));
    assert_eq!(seen, sidecar.answer(body.as_bytes()));
}

#[test]
fn useless_alerts_that_are_too_many_to_be_named_are_told_alike() {
    let sidecar = Sidecar::failing([]);
    let alerts = (0..250).map(|n| if [77, 203].contains(&n) { deployment(&format!("d{n}")) } else { useless() });
    let body = webhook(alerts);
    let (seen, parts) = through_the_filter(&sidecar, &body);
    assert_eq!((seen.status, parts), (207, 2));
    assert_eq!(seen, sidecar.answer(body.as_bytes()));
}

#[test]
fn every_way_to_fail_is_told_alike() {
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
        let body = webhook([useless(), deployment("a"), deployment("b"), deployment("c"), deployment("d")]);
        let (seen, parts) = through_the_filter(&sidecar, &body);
        assert_eq!((seen.status, parts), (503, 4), "{error:?}");
        assert_eq!(seen, sidecar.answer(body.as_bytes()), "{error:?}");
    }
}

#[test]
fn where_the_first_part_fails_what_rode_with_it_is_told_with_the_next_attempt() {
    let sidecar = Sidecar::failing([(deployment("a"), SubmitError::Draining)]);
    let body = webhook([useless(), deployment("a"), deployment("b")]);
    let (seen, whole) = (through_the_filter(&sidecar, &body).0, sidecar.answer(body.as_bytes()));
    assert_eq!((seen.status, &seen.retry_after), (whole.status, &whole.retry_after));
    let summary = |seen: &Seen| serde_json::from_str::<Value>(&seen.body).unwrap()["summary"]["failed"].clone();
    assert_eq!((summary(&seen), summary(&whole)), (json!(1), json!(1)));
}

fn some_alerts() -> impl Strategy<Value = Vec<Value>> {
    let name = (0..6).prop_map(|n| format!("d{n}"));
    let any = prop_oneof![
        4 => name.clone().prop_map(|name| deployment(&name)),
        2 => name.prop_map(|name| resolved(&name)),
        1 => Just(useless()),
    ];
    vec(any, 0..24)
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn whatever_a_webhook_holds_it_is_told_alike(alerts in some_alerts()) {
        let sidecar = Sidecar::failing([]);
        let body = webhook(alerts);
        prop_assert_eq!(through_the_filter(&sidecar, &body).0, sidecar.answer(body.as_bytes()));
    }
}
