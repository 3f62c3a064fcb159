//! Replicas that are killed, frozen and terminated during a storm.

use std::time::Duration;

use anyhow::Result;
use onceway_kit::fault_proxy::{Fault, RR_STATUS, RRS, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_killed_in_a_storm_loses_no_acknowledged_signal_and_creates_no_second_rr() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().start().await?;
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.client().clone().alert(rig.envoy().url(), incident.webhook(0)).await?.status, 201);
    let owner = owner(&rig);
    let storm = rig.storm(vec![incident.clone()]).endless().concurrency(100).first(1).max_attempts(100);
    let running = storm.start();
    running.until_acknowledged(500).await;
    rig.sidecar(owner).service().kill().await?;
    // The storm continues without it.
    running.until_acknowledged(running.progress().acknowledged() + 500).await;
    running.end();
    let sent = running.report().await.total();
    assert_eq!(sent.given_up, 0);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!(rrs.len(), 1, "{}", rig.record().text());
    let counted = rrs[0].count() - 1;
    assert!(sent.acknowledged <= counted && counted <= sent.attempts, "{counted} counted, {sent:?}");
    Ok(())
}

#[tokio::test]
async fn a_replica_killed_with_a_create_in_flight_leaves_a_claim_that_another_completes() -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    let incident = Incident::new("prod", "payment-api");
    let create = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
    let lost = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident.webhook(0)));
    create.reached().await;
    rig.sidecar(0).service().kill().await?;
    assert!(lost.await?.is_err(), "a killed replica sends no response");
    assert_eq!(rig.alert(1, &incident, 1).await?.status, 201);
    // The dead replica's create arrives late.
    create.release();
    rig.record().wait_for(|calls| calls.iter().all(|call| call.ended.is_some())).await?;
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_frozen_replica_that_wakes_with_a_create_in_flight_creates_no_second_rr() -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    let incident = Incident::new("prod", "payment-api");
    let response = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::HoldResponse);
    let frozen = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident.webhook(0)));
    response.reached().await;
    let process = rig.sidecar(0).service().process()?;
    process.freeze();
    // Its RR exists without a count: another replica confirms it and counts; then it is completed, and the incident
    // recurs.
    assert_eq!(rig.alert(1, &incident, 1).await?.status, 202);
    let first = rig.rrs_of(&incident).await?[0].name().to_owned();
    rig.set_phase(&first, "Completed").await?;
    assert_eq!(rig.alert(1, &incident, 2).await?.status, 201);
    response.release();
    process.thaw();
    let woken = frozen.await??;
    assert!([202, 503].contains(&woken.status.as_u16()), "{}", woken.text());
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!(rrs.len(), 2);
    assert_eq!(rrs[0].count(), 1, "nothing is counted in a terminal RR");
    // After a 503 it is unknown whether the signal was counted.
    assert!((1 + u64::from(woken.status == 202)..=2).contains(&rrs[1].count()), "{}", rrs[1].count());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_terminated_in_a_storm_completes_all_requests_in_flight_and_exits_cleanly() -> Result<()> {
    // Envoy checks readiness every second: it has left the replica long before that stops listening.
    let config = json!({"shutdown": {"lameDuck": "8s"}});
    let rig = Rig::replicas(3).with_envoy().config(config).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.client().clone().alert(rig.envoy().url(), incident.webhook(0)).await?.status, 201);
    let process = rig.sidecar(owner(&rig)).service().process()?;
    let running = rig.storm(vec![incident.clone()]).endless().concurrency(100).first(1).start();
    running.until_acknowledged(500).await;
    process.terminate();
    let exit = process.wait(Duration::from_secs(120)).await?;
    assert!(exit.success(), "{exit}:\n{}", process.tail());
    running.end();
    let sent = running.report().await.total();
    assert_eq!(sent.acknowledged, sent.attempts, "a sender had to retry: {sent:?}");
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, sent.acknowledged + 1));
    Ok(())
}

/// The replica of the last count.
fn owner(rig: &Rig) -> usize {
    let calls = rig.record().calls();
    let last = calls.iter().rev().find(|call| call.is(Verb::Patch, RR_STATUS)).expect("there is a count");
    rig.sidecars().iter().position(|sidecar| sidecar.name() == last.replica).expect("every replica has a name")
}
