//! The health and metrics ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use onceway_signal::media_type::{JSON, PROBLEM_JSON};
use onceway_signal::problem::{Problem, ProblemKind, ProblemTypes};
use serde::Serialize;

use super::exposition::Format;
use crate::health::Readiness;
use crate::metrics::Metrics;

/// The path of the readiness probe.
const READY: &str = "/readyz";

/// What the health port reports.
#[derive(Clone, Debug)]
struct Health {
    readiness: Readiness,
    problem_types: ProblemTypes,
}

/// The response of a probe while all is well.
#[derive(Debug, Serialize)]
struct Well {
    status: &'static str,
    timestamp: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<&'static str, String>,
}

/// The response of the readiness probe while tasks are pending.
#[derive(Debug, Serialize)]
struct NotReady {
    #[serde(flatten)]
    problem: Problem,
    timestamp: String,
    /// The pending tasks, each with its reason.
    pending: BTreeMap<&'static str, String>,
    /// What else there is to know, by its subject.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<&'static str, String>,
}

/// `/livez` and `/healthz` respond while the process runs; `/readyz` lists the pending tasks.
pub fn health(readiness: Readiness, problem_types: ProblemTypes) -> Router {
    let alive = || async { well("healthy") };
    Router::new()
        .route("/livez", get(alive))
        .route("/healthz", get(alive))
        .route(READY, get(ready))
        .with_state(Health { readiness, problem_types })
}

async fn ready(State(Health { readiness, problem_types }): State<Health>) -> Response {
    let (pending, details) = (BTreeMap::from_iter(readiness.reasons()), BTreeMap::from_iter(readiness.details()));
    if pending.is_empty() {
        return json(StatusCode::OK, JSON, &Well { status: "ready", timestamp: now(), details });
    }
    let reasons: Vec<String> = pending.iter().map(|(task, why)| format!("{task}: {why}")).collect();
    let problem = Problem::new(ProblemKind::NotReady, format!("not ready: {}", reasons.join("; ")));
    let problem = Problem { instance: Some(READY), ..problem }.typed(problem_types);
    json(StatusCode::SERVICE_UNAVAILABLE, PROBLEM_JSON, &NotReady { problem, timestamp: now(), pending, details })
}

fn well(status: &'static str) -> Response {
    json(StatusCode::OK, JSON, &Well { status, timestamp: now(), details: BTreeMap::new() })
}

/// Serializing strings cannot fail; if it did, the body would be empty and the status still right.
fn json(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Response {
    (status, [(CONTENT_TYPE, media_type)], serde_json::to_vec(body).unwrap_or_default()).into_response()
}

/// Now, in whole seconds.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `/metrics`, in the text format that the request asks for.
pub fn metrics(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(render)).with_state(metrics)
}

async fn render(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> Response {
    let format = Format::accepted(headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok()));
    match metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, format.media_type())], format.write(text)).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot render the metrics: {error}\n")).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use http::Request;
    use http::header::{ACCEPT, CONTENT_TYPE};
    use http_body_util::BodyExt;
    use jiff::Timestamp;
    use onceway_signal::problem::ProblemTypes;
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::{health, metrics};
    use crate::health::{Condition, Readiness};
    use crate::metrics::Metrics;

    /// The status, the media type and the body.
    async fn get(router: &Router, path: &str, accept: Option<&str>) -> (u16, String, String) {
        let request = accept.into_iter().fold(Request::get(path), |request, accept| request.header(ACCEPT, accept));
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, header) = (response.status().as_u16(), response.headers().get(CONTENT_TYPE).cloned());
        let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
        let media_type = header.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        (status, media_type, String::from_utf8(body).unwrap())
    }

    /// The body without its time, which must be one.
    fn timeless(body: &str) -> Value {
        let mut body: Value = serde_json::from_str(body).unwrap();
        let timestamp = body.as_object_mut().unwrap().remove("timestamp").unwrap();
        timestamp.as_str().unwrap().parse::<Timestamp>().unwrap();
        body
    }

    #[tokio::test]
    async fn a_replica_that_is_not_ready_is_alive_and_names_the_reason() {
        let readiness = Readiness::default();
        let router = health(readiness.clone(), ProblemTypes::Onceway);
        let pending = readiness.pending(Condition::Permissions, "missing: get leases");
        let (status, media_type, body) = get(&router, "/readyz", None).await;
        assert_eq!((status, media_type.as_str()), (503, "application/problem+json"));
        let expected = json!({
            "type": "https://onceway.io/problems/not-ready", "title": "The replica is not ready", "status": 503,
            "detail": "not ready: permissions: missing: get leases", "instance": "/readyz",
            "pending": {"permissions": "missing: get leases"},
        });
        assert_eq!(timeless(&body), expected);
        for path in ["/livez", "/healthz"] {
            let (status, media_type, body) = get(&router, path, None).await;
            assert_eq!((status, media_type.as_str()), (200, "application/json"));
            assert_eq!(timeless(&body), json!({"status": "healthy"}));
        }
        drop(pending);
        let (status, _, body) = get(&router, "/readyz", None).await;
        assert_eq!((status, timeless(&body)), (200, json!({"status": "ready"})));
        readiness.detail("targets", Some("told by names".to_owned()));
        let (status, _, body) = get(&router, "/readyz", None).await;
        assert_eq!(
            (status, timeless(&body)),
            (200, json!({"status": "ready", "details": {"targets": "told by names"}}))
        );
        readiness.detail("targets", None);
        let (_, _, body) = get(&router, "/readyz", None).await;
        assert_eq!(timeless(&body), json!({"status": "ready"}));
        assert_eq!(get(&router, "/metrics", None).await.0, 404);
    }

    #[tokio::test]
    async fn a_probes_problem_has_the_types_that_the_configuration_names() {
        let readiness = Readiness::default();
        let _pending = readiness.pending(Condition::Draining, "the replica is shutting down");
        let (.., body) = get(&health(readiness, ProblemTypes::Kubernaut), "/readyz", None).await;
        let body = timeless(&body);
        assert_eq!(body["type"], "https://kubernaut.ai/problems/service-unavailable");
        assert_eq!((&body["title"], &body["kind"]), (&json!("Service Unavailable"), &json!("not-ready")));
    }

    #[tokio::test]
    async fn metrics_are_plain_text_unless_open_metrics_is_asked_for() {
        let router = metrics(Arc::new(Metrics::new()));
        let (status, media_type, text) = get(&router, "/metrics", None).await;
        assert_eq!((status, media_type.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
        assert!(text.contains("# TYPE gateway_panics_total counter\n") && !text.contains("# EOF"), "{text}");
        let accept = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.7";
        let (_, media_type, text) = get(&router, "/metrics", Some(accept)).await;
        assert_eq!(media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(text.contains("# TYPE gateway_panics counter\n") && text.ends_with("# EOF\n"), "{text}");
    }
}
