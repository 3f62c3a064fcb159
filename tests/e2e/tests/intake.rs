//! Accepted and rejected requests, through Envoy and directly; a rejected request causes no API call.

use std::time::Duration;

use anyhow::{Context, Result};
use http::{Request, StatusCode};
use onceway_kit::client::ClientResponse;
use onceway_kit::payload::{Alert, Incident, event, webhook};
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::calls::calls_for_signals;

/// Sends a body to Envoy or directly to the first replica.
async fn send(
    base: &str,
    rig: &Rig,
    source: Source,
    content_type: &str,
    body: impl Into<bytes::Bytes>,
) -> Result<ClientResponse> {
    let request = Request::post(format!("{base}{}", source.path())).header("content-type", content_type);
    rig.client().send(request, body).await
}

fn ways(rig: &Rig) -> [String; 2] {
    [rig.envoy().url(), rig.sidecar(0).url()]
}

/// Announces a body and sends none of it: a client that still sends while it is rejected may miss the response
/// (HTTP/1).
async fn announce(base: &str, bytes: usize) -> Result<String> {
    let mut connection = TcpStream::connect(base.trim_start_matches("http://")).await?;
    let path = Source::Prometheus.path();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: onceway\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await?;
    let mut response = String::new();
    timeout(Duration::from_secs(60), connection.read_to_string(&mut response))
        .await
        .context("no end of the response")??;
    Ok(response)
}

#[tokio::test]
async fn malformed_oversized_and_wrongly_typed_requests_are_rejected_without_an_api_call() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().start().await?;
    let nameless = json!({"version": "4", "alerts": [{"status": "firing", "labels": {"severity": "critical"}}]});
    let cases: [(&str, Vec<u8>, u16); 5] = [
        ("application/json", b"{\"alerts\": [".to_vec(), 400),
        ("application/json", b"\xff\xfe".to_vec(), 400),
        ("application/json", b"[]".to_vec(), 400),
        ("application/json", nameless.to_string().into_bytes(), 400),
        ("text/plain", Incident::new("prod", "payment-api").webhook(0).into_bytes(), 415),
    ];
    let before = calls_for_signals(&rig);
    for base in ways(&rig) {
        for (content_type, body, status) in &cases {
            let response = send(&base, &rig, Source::Prometheus, content_type, body.clone()).await?;
            assert_eq!(response.status, *status, "{}", response.text());
            assert_eq!(response.header("content-type"), Some("application/problem+json"), "{}", response.text());
            assert_eq!(response.json()["status"].as_u64(), Some(u64::from(*status)), "{}", response.text());
        }
        let too_large = announce(&base, 5 * 1024 * 1024 + 1).await?;
        assert!(too_large.starts_with("HTTP/1.1 413 "), "{too_large}");
        assert!(
            too_large.contains("application/problem+json") && too_large.contains("payload-too-large"),
            "{too_large}"
        );
    }
    assert_eq!(calls_for_signals(&rig), before, "{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn a_webhook_of_3_mib_about_one_incident_is_stored_within_the_payload_limit() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let alerts: Vec<Alert> =
        (0..3000).map(|n| incident.alert(n).annotation("description", &"long ".repeat(200))).collect();
    let body = webhook(&alerts);
    assert!(body.len() > 3 * 1024 * 1024);
    let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, body).await?;
    assert_eq!(response.status, 201, "{}", response.text());
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 3000));
    let stored = rrs[0].spec.original_payload.clone().unwrap_or_default();
    assert!(stored.len() <= 64 * 1024 && stored.len() > 60 * 1024, "{} bytes", stored.len());
    let stored: Value = serde_json::from_str(&stored)?;
    assert_eq!(stored["alerts"][0]["labels"]["namespace"], "prod");
    Ok(())
}

#[tokio::test]
async fn resolved_alerts_and_normal_events_create_nothing() -> Result<()> {
    let rig = Rig::replicas(1).with_envoy().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let normal = event("Deployment", "prod", "payment-api", "ScalingReplicaSet").replace("Warning", "Normal");
    let before = calls_for_signals(&rig);
    for base in ways(&rig) {
        let resolved = rig.client().signal(&base, Source::Prometheus, webhook(&[incident.alert(0).resolved()])).await?;
        assert_eq!(resolved.status, StatusCode::OK, "{}", resolved.text());
        assert_eq!(resolved.json()["status"], "resolved");
        let normal = rig.client().signal(&base, Source::KubernetesEvent, normal.clone()).await?;
        assert_eq!(normal.status, StatusCode::OK, "{}", normal.text());
    }
    assert!(rig.rrs().await?.is_empty());
    assert_eq!(calls_for_signals(&rig), before);
    Ok(())
}

#[tokio::test]
async fn an_event_and_an_alert_about_one_deployment_are_one_incident() -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    let incident = Incident::new("prod", "payment-api");
    let event = event("Deployment", "prod", "payment-api", "FailedCreate");
    let first = rig.client().signal(&rig.sidecar(0).url(), Source::KubernetesEvent, event).await?;
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(rig.alert(1, &incident, 0).await?.status, 202);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 2));
    assert_eq!(rrs[0].spec.signal_source.as_deref(), Some("kubernetes-events"));
    Ok(())
}

#[tokio::test]
async fn a_webhook_of_several_incidents_gets_207_in_its_own_order() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().start().await?;
    let incidents = Incident::several("prod", 5);
    assert_eq!(rig.alert(2, &incidents[3], 0).await?.status, 201);
    let mut alerts: Vec<Alert> = incidents.iter().map(|incident| incident.alert(1)).collect();
    alerts.push(incidents[0].alert(2));
    alerts.push(Alert::firing("Gone").label("namespace", "prod").label("deployment", "gone-api").resolved());
    let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, webhook(&alerts)).await?;
    assert_eq!(response.status, 207, "{}", response.text());
    let body = response.json();
    let results = body["results"].as_array().cloned().unwrap_or_default();
    let statuses: Vec<&str> = results.iter().filter_map(|result| result["status"].as_str()).collect();
    assert_eq!(statuses, ["created", "created", "created", "duplicate", "created", "resolved"], "{body:#}");
    assert_eq!((&body["summary"]["created"], &body["summary"]["deduplicated"]), (&json!(4), &json!(1)), "{body:#}");
    for (place, count) in [2, 1, 1, 2, 1].into_iter().enumerate() {
        let rrs = rig.rrs_of(&incidents[place]).await?;
        assert_eq!((rrs.len(), rrs[0].count()), (1, count));
    }
    Ok(())
}

#[tokio::test]
async fn a_response_has_the_outcome_the_rr_and_the_count() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let incident = Incident::new("prod", "payment-api");
    let response = rig.alert(0, &incident, 0).await?;
    let (body, name) = (response.json(), rig.rrs_of(&incident).await?[0].name().to_owned());
    assert_eq!(body["status"], "created");
    assert_eq!(body["duplicate"], false);
    assert_eq!(body["fingerprint"], incident.fingerprint().to_string());
    assert_eq!(body["remediationRequestName"], name);
    assert_eq!(body["remediationRequestNamespace"], rig.namespace().name());
    assert_eq!(body["metadata"]["count"], 1);
    let again = rig.alert(0, &incident, 1).await?.json();
    assert_eq!(
        (&again["status"], &again["duplicate"], &again["metadata"]["count"]),
        (&json!("duplicate"), &json!(true), &json!(2))
    );
    Ok(())
}
