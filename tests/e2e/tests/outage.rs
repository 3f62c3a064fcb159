//! An outage of the API server.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;
use tokio::time::Instant;

/// How long Alertmanager waits for a response. The sidecar's deadline, 3 s here, leaves a loaded machine the rest of
/// it.
const SENDER_LIMIT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn while_the_api_server_is_down_signals_get_503_in_time_and_are_counted_once_it_is_back() -> Result<()> {
    let limits = json!({"limits": {"deadline": "3s", "apiCallTimeout": "1s"}});
    let rig = Rig::replicas(1).own_cluster().config(limits).start().await?;
    let known = Incident::new("prod", "payment-api");
    let unknown = Incident::new("prod", "checkout-api");
    assert_eq!(rig.alert(0, &known, 0).await?.status, 201);

    rig.cluster().apiserver().kill().await?;
    for incident in [&known, &unknown] {
        let began = Instant::now();
        let response = rig.alert(0, incident, 1).await?;
        assert_eq!(response.status, 503);
        assert!(response.header("retry-after").is_some());
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
        let log = std::fs::read_to_string(rig.sidecar(0).service().process()?.log())?;
        assert!(log.contains("API server"), "the log names the reason: {log}");
        assert!(began.elapsed() < SENDER_LIMIT, "{:?}", began.elapsed());
    }
    let scrape = rig.sidecar(0).scrape().await?;
    assert!(scrape.sum("gateway_lock_acquisition_failures_total", &[]) >= 1.0, "{}", scrape.text());
    assert!(rig.sidecar(0).is_ready().await, "an outage of the API server must not make replicas unready");

    rig.cluster().apiserver().restart()?;
    rig.cluster().until_ready().await?;
    let storm = rig.storm(vec![known.clone(), unknown.clone()]).signals(20).concurrency(10).first(2);
    let report = storm.max_attempts(100).run().await;
    assert_eq!(report.total().given_up, 0);
    for (incident, before) in [(&known, 1), (&unknown, 0)] {
        let rrs = rig.rrs_of(incident).await?;
        assert_eq!(rrs.len(), 1);
        let storm = &report.incidents[&incident.fingerprint()];
        // A signal with a 503 may have been counted: one during the outage, and the retries of the storm.
        let range = before + storm.acknowledged..=before + 1 + storm.attempts;
        assert!(range.contains(&rrs[0].count()), "{} not in {range:?}", rrs[0].count());
    }
    Ok(())
}
