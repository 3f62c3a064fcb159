//! The whole system once: if this fails, fix it before any other end-to-end test.

use anyhow::Result;
use onceway_kit::envoy;
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rig;

#[test]
fn envoy_accepts_the_shipped_configuration_unchanged() -> Result<()> {
    // The configuration names the module in cargo's target folder.
    onceway_kit::built::filter::path()?;
    envoy::validate(&envoy::shipped())
}

#[tokio::test]
async fn a_storm_through_envoy_creates_one_rr_per_incident_that_counts_every_signal() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let report = rig.storm(Incident::several("prod", 5)).signals(500).concurrency(50).run().await;
    let verdict = rig.verdict(&report).await?;
    assert_eq!(verdict.incidents.len(), 5);
    assert!(verdict.incidents.iter().all(|incident| incident.counted == 100), "{verdict:#?}");
    let total = report.total();
    assert_eq!((total.status(201), total.status(202)), (5, 495));
    let counted = rig.envoy().stats().await?.sum("onceway_filter_requests_total", &[("outcome", "fingerprinted")]);
    assert_eq!(counted, 500.0);
    for sidecar in rig.sidecars() {
        // The filter and the sidecar ran the same code on the same bytes.
        assert_eq!(sidecar.scrape().await?.sum("gateway_fingerprint_mismatches_total", &[]), 0.0);
    }
    Ok(())
}
