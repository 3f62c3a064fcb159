//! Affinity, and the split of a webhook of several incidents.

use anyhow::{Result, ensure};
use onceway_kit::payload::{Incident, webhook};
use onceway_kit::rig::RrExt;
use serde_json::json;

use crate::running::{REPLICAS, Running};

const SINGLE: usize = 36;
const SPLIT: usize = 12;

/// One webhook with the `n`-th alert of each incident.
pub(super) fn of_each(incidents: &[Incident], n: u64) -> String {
    webhook(&incidents.iter().map(|incident| incident.alert(n)).collect::<Vec<_>>())
}

pub(super) async fn single_webhooks_reach_one_owner_for_each_incident(running: &mut Running) -> Result<String> {
    let (incidents, url) = (running.incidents(SINGLE), running.gateway.url());
    let rig = &running.rig;
    let mut rounds = 0;
    let owners = rig.settled_owners(&url, &incidents, &mut rounds, REPLICAS).await?;
    for n in rounds..rounds + 2 {
        ensure!(rig.owners(&url, &incidents, n).await? == owners, "an incident moved");
    }
    for incident in &incidents {
        let rrs = rig.rrs_of(incident).await?;
        ensure!(rrs.len() == 1 && rrs[0].count() == rounds + 2, "{} RRs of {incident:?}", rrs.len());
    }
    Ok(String::new())
}

pub(super) async fn a_webhook_of_twelve_incidents_is_split_to_their_owners(running: &mut Running) -> Result<String> {
    // So many that they surely spread over all replicas; the webhook is about the first twelve.
    let (all, url) = (running.incidents(SINGLE), running.gateway.url());
    let (incidents, rig) = (&all[..SPLIT], &running.rig);
    let mut rounds = 0;
    let mut owners = rig.settled_owners(&url, &all, &mut rounds, REPLICAS).await?;
    owners.retain(|deployment, _| incidents.iter().any(|incident| incident.deployment() == deployment));
    let since = rig.record().calls().len();
    let response = rig.client().clone().alert(url, of_each(incidents, rounds)).await?;
    ensure!(response.status == 207, "{}: {}", response.status, response.text());
    let summary = json!({"total": SPLIT, "created": 0, "deduplicated": SPLIT, "rejected": 0, "failed": 0});
    ensure!(response.json()["summary"] == summary, "{}", response.text());
    let counters = rig.counters(incidents, since);
    ensure!(counters == owners, "counted by {counters:?}, owned by {owners:?}");
    Ok(String::new())
}
