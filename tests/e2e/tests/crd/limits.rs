//! Values too long for an RR: the sidecar truncates or rejects them before the API server would.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use onceway_kit::client::ClientResponse;
use onceway_kit::fault_proxy::{Call, RRS, Verb};
use onceway_kit::payload::{Alert, event, webhook};
use onceway_kit::rig::{Rig, Rr, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};

use crate::calls::calls_for_signals;

/// One replica.
struct Edge(Rig);

impl Edge {
    async fn start() -> Result<Self> {
        Ok(Self(Rig::replicas(1).start().await?))
    }

    async fn send(&self, source: Source, body: String) -> Result<ClientResponse> {
        self.0.client().signal(&self.0.sidecar(0).url(), source, body).await
    }

    /// The RR of a body that the sidecar accepts.
    async fn accepted(&self, source: Source, body: String) -> Result<Rr> {
        let response = self.send(source, body).await?;
        assert_eq!(response.status, 201, "{}", response.text());
        let name = response.json()["remediationRequestName"].as_str().context("no name")?.to_owned();
        let rr = self.0.rr_api().get(&name).await?;
        assert_eq!(rr.count(), 1);
        Ok(rr)
    }

    async fn alert_accepted(&self, alert: Alert) -> Result<Rr> {
        self.accepted(Source::Prometheus, webhook(&[alert])).await
    }

    /// Asserts that the API server found no create invalid.
    fn assert_nothing_was_invalid(&self) {
        let invalid = |call: &Call| {
            call.is(Verb::Create, RRS) && [400, 413, 422].iter().any(|status| call.result.is_status(*status))
        };
        assert_eq!(self.0.record().count_of(invalid), 0, "{}", self.0.record().text());
    }
}

fn about(deployment: &str) -> Alert {
    Alert::firing("Down").label("namespace", "prod").label("deployment", deployment)
}

fn bytes(pairs: &BTreeMap<String, String>) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
}

#[tokio::test]
async fn labels_and_annotations_that_are_too_long_or_too_many_are_truncated_and_the_rr_is_created() -> Result<()> {
    let edge = Edge::start().await?;
    let long = "né".repeat(64 * 1024);
    let rr = edge.alert_accepted(about("long-values").label("note", &long).annotation("description", &long)).await?;
    for kept in [&rr.spec.signal_labels["note"], &rr.spec.signal_annotations["description"]] {
        assert!(long.starts_with(kept.as_str()) && (4000..=4096).contains(&kept.len()), "{} bytes", kept.len());
    }

    let many = (0..500).fold(about("many-pairs"), |alert, n| {
        alert.label(&format!("label_{n}"), &"x".repeat(200)).annotation(&format!("annotation_{n}"), &"x".repeat(200))
    });
    let rr = edge.alert_accepted(many).await?;
    assert!((15 * 1024..=16 * 1024).contains(&bytes(&rr.spec.signal_labels)), "{}", bytes(&rr.spec.signal_labels));
    let annotations = bytes(&rr.spec.signal_annotations);
    assert!((31 * 1024..=32 * 1024).contains(&annotations), "{annotations}");

    let rr = edge.alert_accepted(about("long-name").label(&"l".repeat(64 * 1024), "x").annotation(&long, "x")).await?;
    assert_eq!(rr.spec.signal_labels.len(), 3, "a name cannot be truncated: the label is omitted");
    assert!(rr.spec.signal_annotations.is_empty());

    let hostile: String = (0_u8..32).map(char::from).cycle().take(8192).collect();
    let rr = edge.alert_accepted(about("control-characters").annotation("hostile", &hostile)).await?;
    assert!(hostile.starts_with(&rr.spec.signal_annotations["hostile"]));

    edge.assert_nothing_was_invalid();
    Ok(())
}

#[tokio::test]
async fn the_largest_body_creates_an_rr_that_etcd_accepts() -> Result<()> {
    let edge = Edge::start().await?;
    // Each byte is two in JSON, and four in the stored payload, which is JSON in JSON. The body has it twice: as the
    // alert's annotation and as the group's common one.
    let worst = "\"\\".repeat(600_000);
    let body = webhook(&[about("one-huge-alert").annotation("description", &worst)]);
    assert!((4_500_000..5 * 1024 * 1024).contains(&body.len()), "{} bytes", body.len());
    let rr = edge.accepted(Source::Prometheus, body).await?;
    let stored: Value = serde_json::from_str(&rr.spec.original_payload.clone().unwrap_or_default())?;
    assert_eq!(stored, json!({"alerts": []}), "truncated to the alerts that fit, and valid JSON");
    assert!(serde_json::to_vec(&rr)?.len() < 1024 * 1024);
    edge.assert_nothing_was_invalid();
    Ok(())
}

#[tokio::test]
async fn a_severity_is_truncated_to_the_limit_and_never_empty() -> Result<()> {
    let edge = Edge::start().await?;
    for (deployment, severity, stored) in [
        ("fits", "é".repeat(50), "é".repeat(50)),
        ("one-more", "é".repeat(51), "é".repeat(50)),
        ("far-more", "x".repeat(100_000), "x".repeat(50)),
        ("empty", String::new(), "unknown".to_owned()),
    ] {
        let rr = edge.alert_accepted(about(deployment).label("severity", &severity)).await?;
        assert_eq!(rr.spec.severity, stored, "{deployment}");
    }
    edge.assert_nothing_was_invalid();
    Ok(())
}

#[tokio::test]
async fn an_identity_of_the_maximum_length_is_stored_in_full() -> Result<()> {
    let edge = Edge::start().await?;
    let long = |characters: usize| "é".repeat(characters);
    let (namespace, deployment) = ("n".repeat(63), "d".repeat(253));
    let alert = Alert::firing(&long(253)).label("cluster", &long(253)).label("namespace", &namespace);
    let rr = edge.alert_accepted(alert.label("deployment", &deployment)).await?;
    assert_eq!(rr.spec.signal_name, long(253));
    assert_eq!(rr.spec.cluster_id, Some(long(253)));
    let target = &rr.spec.target_resource;
    assert_eq!((&target.name, &target.namespace), (&deployment, &Some(namespace)));

    let kind = "K".repeat(63);
    let body = event(&kind, &"n".repeat(63), &"d".repeat(253), &long(253));
    let rr = edge.accepted(Source::KubernetesEvent, body).await?;
    assert_eq!((rr.spec.target_resource.kind, rr.spec.signal_name), (kind, long(253)));

    let mut body: Value = serde_json::from_str(&event("Deployment", "prod", "api-version", "Failed"))?;
    body["involvedObject"]["apiVersion"] = json!("v".repeat(1000));
    let rr = edge.accepted(Source::KubernetesEvent, body.to_string()).await?;
    let api_version = rr.spec.target_resource.api_version;
    assert_eq!(api_version.as_deref(), Some("apps/v1"), "it names no API: that of the kind takes its place");
    edge.assert_nothing_was_invalid();
    Ok(())
}

#[tokio::test]
async fn an_identity_that_is_too_long_is_rejected_with_its_field_and_causes_no_api_call() -> Result<()> {
    let edge = Edge::start().await?;
    let long = |characters: usize| "é".repeat(characters);
    let alert = |alert: Alert| (Source::Prometheus, webhook(&[alert]));
    let event = |kind: &str, namespace: &str, name: &str, reason: &str| {
        (Source::KubernetesEvent, event(kind, namespace, name, reason))
    };
    let cases = [
        ("labels.alertname", alert(Alert::firing(&long(254)).label("namespace", "prod"))),
        ("labels.cluster", alert(about("payment-api").label("cluster", &long(254)))),
        ("involvedObject.kind", event(&long(64), "prod", "payment-api", "Failed")),
        ("involvedObject.namespace", event("Deployment", &long(64), "payment-api", "Failed")),
        ("involvedObject.name", event("Deployment", "prod", &long(254), "Failed")),
        ("reason", event("Deployment", "prod", "payment-api", &long(254))),
    ];
    let before = calls_for_signals(&edge.0);
    for (field, (source, body)) in cases {
        let response = edge.send(source, body).await?;
        assert_eq!(response.status, 400, "{field}: {}", response.text());
        assert!(response.text().contains(&format!("`{field}`")), "{field}: {}", response.text());
    }
    assert_eq!(calls_for_signals(&edge.0), before, "{}", edge.0.record().text());
    Ok(())
}

#[tokio::test]
async fn a_signal_with_any_start_time_creates_an_rr() -> Result<()> {
    let edge = Edge::start().await?;
    let times = [
        "",
        "yesterday",
        "2026-02-30T10:00:00Z",
        "2026-03-01T10:00:60Z",
        "2026-03-01T10:00:00.123456789+05:45",
        "2026-03-01 10:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "9999-12-31T23:59:59-12:00",
        "+012026-03-01T10:00:00Z",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "-000001-01-01T00:00:00Z",
        "2026-03-01T10:00:00+01:00[Europe/Berlin]",
    ];
    for (place, time) in times.into_iter().enumerate() {
        let mut body: Value = serde_json::from_str(&webhook(&[about(&format!("at-{place}"))]))?;
        body["alerts"][0]["startsAt"] = json!(time);
        edge.accepted(Source::Prometheus, body.to_string()).await.with_context(|| format!("startsAt {time:?}"))?;
    }
    edge.assert_nothing_was_invalid();
    Ok(())
}
