//! Bodies and paths that several tests send.

use onceway_signal::security_headers::SECURITY_HEADERS;
use proptest::test_runner::Config;
use serde_json::{Value, json};

/// The path of Alertmanager's webhooks.
pub(super) const ALERTS: &str = "/api/v1/signals/prometheus";
/// The path of Kubernetes events.
pub(super) const EVENTS: &str = "/api/v1/signals/kubernetes-event";

/// `sha256("prod:Deployment:payment-api")`.
pub(super) const PAYMENT_API: &str = "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1";
/// `sha256(":Node:worker-node-1")`.
pub(super) const WORKER_NODE: &str = "54010c454af195aadec824d25dba6fa52adfcc717f0b3f0430e4111acddfe728";

/// An alert as Alertmanager sends it, with these labels.
pub(super) fn alert(labels: Value) -> Value {
    json!({
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "something is wrong", "runbook_url": "https://runbooks.example/something"},
        "startsAt": "2026-01-02T03:04:05.678Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph?g0.expr=up",
        "fingerprint": "0123456789abcdef",
    })
}

/// An alert about a Deployment.
pub(super) fn deployment(name: &str) -> Value {
    alert(json!({"alertname": "HighErrorRate", "severity": "critical", "namespace": "prod", "deployment": name}))
}

/// An alert about a node.
pub(super) fn node(name: &str) -> Value {
    alert(json!({"alertname": "NodeNotReady", "severity": "warning", "node": name}))
}

/// A webhook of these alerts.
pub(super) fn webhook(alerts: impl IntoIterator<Item = Value>) -> String {
    json!({
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "onceway",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": alerts.into_iter().collect::<Vec<_>>(),
    })
    .to_string()
}

/// A webhook of one alert, about the Deployment `payment-api`.
pub(super) fn payment_api() -> String {
    webhook([deployment("payment-api")])
}

/// A property test of `cases` cases. Its output shows a failed case; no regression files are written.
pub(super) fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// The headers of a response of the filter's own with this media type.
pub(super) fn own_headers(media_type: &str) -> Vec<(String, String)> {
    let headers = [("content-type", media_type)].into_iter().chain(SECURITY_HEADERS);
    headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
