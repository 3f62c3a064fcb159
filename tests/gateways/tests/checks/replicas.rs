//! Replicas that die, join and leave.

use anyhow::{Result, ensure};

use super::routing::of_each;
use crate::running::{REPLICAS, Running, until_acknowledged};

/// Senders of a storm, all at once: few, since other columns share the machine.
const SENDERS: usize = 8;
/// Signals that are acknowledged between two events of a storm.
const STEP: u64 = 150;
/// The replica that dies.
const VICTIM: usize = 1;

pub(super) async fn a_replica_killed_in_a_storm_costs_no_signal(running: &mut Running) -> Result<String> {
    let storm = running.storm(6).endless().concurrency(SENDERS).start();
    until_acknowledged(&storm, STEP).await?;
    running.rig.sidecar(VICTIM).service().kill().await?;
    until_acknowledged(&storm, STEP).await?;
    // What the endpoints' controller does once the pod is gone, and when another is ready.
    running.use_replicas_but(VICTIM).await?;
    until_acknowledged(&storm, STEP).await?;
    running.revive(VICTIM).await?;
    until_acknowledged(&storm, STEP).await?;
    storm.end();
    running.exact(storm).await
}

pub(super) async fn a_split_webhook_is_complete_although_a_replica_is_killed(running: &mut Running) -> Result<String> {
    let (incidents, url) = (running.incidents(36), running.gateway.url());
    running.rig.settled_owners(&url, &incidents, &mut 0, REPLICAS).await?;
    running.rig.sidecar(VICTIM).service().kill().await?;
    let client = running.rig.client().clone();
    let response = client.alert(url, of_each(&incidents, 9)).await?;
    running.revive(VICTIM).await?;
    ensure!(response.status == 207, "{}: {}", response.status, response.text());
    let summary = &response.json()["summary"];
    ensure!(summary["deduplicated"] == 36, "{summary}");
    Ok(String::new())
}

pub(super) async fn a_replica_added_and_removed_in_a_storm_costs_no_signal(running: &mut Running) -> Result<String> {
    const INCIDENTS: usize = 36;
    let (incidents, url) = (running.incidents(INCIDENTS), running.gateway.url());
    let before = running.rig.settled_owners(&url, &incidents, &mut 0, REPLICAS).await?;
    let storm = running.storm(6).endless().concurrency(SENDERS).start();
    until_acknowledged(&storm, STEP).await?;
    running.use_replicas(REPLICAS + 1).await?;
    let with_it = running.rig.settled_owners(&url, &incidents, &mut 10, REPLICAS + 1).await?;
    until_acknowledged(&storm, STEP).await?;
    running.scale_down().await?;
    let after = running.rig.settled_owners(&url, &incidents, &mut 20, REPLICAS).await?;
    until_acknowledged(&storm, STEP).await?;
    storm.end();
    let retried = running.exact(storm).await?;
    let moved = before.iter().filter(|(incident, owner)| with_it[*incident] != **owner).count();
    ensure!(after == before, "incidents do not return when the replica has left");
    ensure!(moved < INCIDENTS / 2, "{moved} of {INCIDENTS} incidents moved to a fourth replica");
    Ok(format!("{moved}/{INCIDENTS} moved, {retried}"))
}
