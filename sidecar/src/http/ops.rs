//! The health and metrics ports.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::health::Readiness;
use crate::metrics::{CONTENT_TYPE as OPEN_METRICS, Metrics};

/// `/livez` and `/healthz` respond while the process runs; `/readyz` lists the pending tasks.
pub fn health(readiness: Readiness) -> Router {
    let alive = || async { "ok\n" };
    Router::new()
        .route("/livez", get(alive))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> (StatusCode, String) {
    let reasons = readiness.reasons();
    let (status, head) =
        if reasons.is_empty() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") };
    let lines =
        reasons.iter().chain(&readiness.details()).map(|(task, why)| format!("{task}: {why}\n")).collect::<String>();
    (status, format!("{head}{lines}"))
}

/// `/metrics`, in the OpenMetrics text format.
pub fn metrics(metrics: Arc<Metrics>) -> Router {
    Router::new().route("/metrics", get(render)).with_state(metrics)
}

async fn render(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.render() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
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
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::{health, metrics};
    use crate::health::Readiness;
    use crate::metrics::Metrics;

    async fn get(router: &Router, path: &str) -> (u16, String) {
        let response = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_replica_that_is_not_ready_is_alive_and_names_the_reason() {
        let readiness = Readiness::default();
        let router = health(readiness.clone());
        let pending = readiness.pending("permissions", "missing: get leases");
        assert_eq!(get(&router, "/readyz").await, (503, "not ready\npermissions: missing: get leases\n".to_owned()));
        assert_eq!((get(&router, "/livez").await.0, get(&router, "/healthz").await.0), (200, 200));
        drop(pending);
        readiness.detail("targets", Some("told by names".to_owned()));
        assert_eq!(get(&router, "/readyz").await, (200, "ready\ntargets: told by names\n".to_owned()));
        readiness.detail("targets", None);
        assert_eq!(get(&router, "/readyz").await, (200, "ready\n".to_owned()));
        assert_eq!(get(&router, "/metrics").await.0, 404);
    }

    #[tokio::test]
    async fn metrics_are_served_as_open_metrics() {
        let router = metrics(Arc::new(Metrics::new()));
        let (status, text) = get(&router, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
