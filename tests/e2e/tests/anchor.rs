//! Storms about new incidents: no RR and no claim exist. Without Envoy there is no affinity.

use anyhow::Result;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};

/// A storm about one incident creates one RR that counts each signal once, on any replicas.
async fn storm_is_exact(rig: &Rig, incident: &Incident, signals: u64) -> Result<()> {
    let report = rig.storm(vec![incident.clone()]).signals(signals).concurrency(signals as usize).run().await;
    let verdict = rig.verdict(&report).await?;
    assert_eq!(verdict.incidents.len(), 1);
    assert_eq!((verdict.incidents[0].counted, verdict.incidents[0].attempts), (signals, signals));
    assert_eq!(report.total().status(201), 1, "exactly one response is 201");
    Ok(())
}

#[tokio::test]
async fn five_concurrent_signals_make_one_rr_that_counts_five() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    for round in 0..3 {
        storm_is_exact(&rig, &Incident::new("prod", &format!("five-{round}")), 5).await?;
    }
    Ok(())
}

#[tokio::test]
async fn one_signal_and_then_three_at_once_are_counted_as_exactly_four() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let first = rig.alert(0, &incident, 0).await?;
    assert_eq!((first.status.as_u16(), first.json()["metadata"]["count"].as_u64()), (201, Some(1)));
    let report = rig.storm(vec![incident.clone()]).signals(3).concurrency(3).first(1).run().await;
    assert_eq!(report.total().status(202), 3);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 4));
    Ok(())
}

#[tokio::test]
async fn fifteen_and_a_hundred_at_once_over_three_replicas_at_random_make_one_rr_each() -> Result<()> {
    let rig = Rig::replicas(3).with_long_timeouts().start().await?;
    for round in 0..3 {
        storm_is_exact(&rig, &Incident::new("prod", &format!("fifteen-{round}")), 15).await?;
        storm_is_exact(&rig, &Incident::new("prod", &format!("hundred-{round}")), 100).await?;
    }
    Ok(())
}

#[tokio::test]
async fn fifteen_and_a_hundred_at_once_through_envoy_make_one_rr_each() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    for round in 0..3 {
        storm_is_exact(&rig, &Incident::new("prod", &format!("fifteen-{round}")), 15).await?;
        storm_is_exact(&rig, &Incident::new("prod", &format!("hundred-{round}")), 100).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_thousand_signals_of_one_incident_through_envoy_are_counted_exactly() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let report = rig.storm(vec![Incident::new("prod", "payment-api")]).signals(30_000).concurrency(200).run().await;
    let verdict = rig.verdict(&report).await?;
    let sent = report.total();
    // Without retries the count is exact.
    assert!(sent.attempts > sent.signals || verdict.incidents[0].counted == 30_000, "{verdict:?}");
    Ok(())
}
