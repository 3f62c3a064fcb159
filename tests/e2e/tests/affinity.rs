//! Affinity: Envoy sends all signals of an incident to one replica while that replica lives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, bail};
use http::StatusCode;
use onceway_kit::fault_proxy::{Fault, RR_STATUS, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use tokio::time::Instant;

const INCIDENTS: usize = 24;
/// How long Envoy's workers may take to learn what its main thread knows about the replicas.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends an alert of each incident through Envoy until it is acknowledged; returns which replica counted it. Envoy
/// returns 503 for a dead replica; nothing is counted then.
async fn owners(rig: &Rig, incidents: &[Incident], n: u64) -> Result<BTreeMap<String, String>> {
    let mut owners = BTreeMap::new();
    for incident in incidents {
        let before = rig.record().calls().len();
        let began = Instant::now();
        let mut response = rig.client().clone().alert(rig.envoy().url(), incident.webhook(n)).await?;
        while response.status == 503 && began.elapsed() < LIMIT {
            response = rig.client().clone().alert(rig.envoy().url(), incident.webhook(n)).await?;
        }
        assert!(response.status.is_success(), "{}", response.text());
        let calls = rig.record().calls();
        let count = calls.iter().skip(before).find(|call| call.is(Verb::Patch, RR_STATUS)).expect("it was counted");
        owners.insert(incident.deployment().to_owned(), count.replica.clone());
    }
    Ok(owners)
}

/// The owners, once two consecutive rounds agree and each of `live` replicas owns an incident: Envoy's workers learn
/// about a replica after its main thread, which serves the admin page. Counts the rounds.
pub(crate) async fn settled(
    rig: &Rig,
    incidents: &[Incident],
    rounds: &mut u64,
    live: usize,
) -> Result<BTreeMap<String, String>> {
    let mut before = BTreeMap::new();
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let now = owners(rig, incidents, *rounds).await?;
        *rounds += 1;
        if now == before && now.values().collect::<BTreeSet<_>>().len() == live {
            return Ok(now);
        }
        before = now;
    }
    bail!("incidents still move, or do not spread over {live} replicas, after {LIMIT:?}: {before:?}")
}

#[tokio::test]
async fn signals_of_one_incident_always_reach_the_same_replica() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", INCIDENTS);
    let first = settled(&rig, &incidents, &mut 0, 3).await?;
    for n in 0..3 {
        assert_eq!(owners(&rig, &incidents, n).await?, first);
    }
    Ok(())
}

#[tokio::test]
async fn a_replica_that_dies_moves_its_own_incidents_and_no_others() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", INCIDENTS);
    let mut rounds = 0;
    let before = settled(&rig, &incidents, &mut rounds, 3).await?;
    let dead = rig.sidecar(1);
    dead.service().kill().await?;
    rig.envoy().until_healthy(2).await?;
    let after = settled(&rig, &incidents, &mut rounds, 2).await?;
    for (incident, owner) in &before {
        if owner == dead.name() {
            assert_ne!(after[incident], *owner);
        } else {
            assert_eq!(after[incident], *owner, "{incident} moved, though its owner lives");
        }
    }
    dead.service().restart()?;
    rig.envoy().until_healthy(3).await?;
    assert_eq!(settled(&rig, &incidents, &mut rounds, 3).await?, before, "all incidents return when it is back");
    for incident in &incidents {
        let rrs = rig.rrs_of(incident).await?;
        assert_eq!((rrs.len(), rrs[0].count()), (1, rounds));
    }
    Ok(())
}

#[tokio::test]
async fn responses_of_503_move_no_incident() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", INCIDENTS);
    let before = settled(&rig, &incidents, &mut 0, 3).await?;
    // Every write of one replica is rejected, as by an admission webhook, so that it returns 503 fast and often. (A 403
    // is a missing right: the replica would become not ready, and Envoy would leave it.)
    let refused = rig.proxy(1).rule(Rule::writes(), Fault::Respond(StatusCode::UNPROCESSABLE_ENTITY));
    let owned: Vec<&Incident> =
        incidents.iter().filter(|incident| before[incident.deployment()] == rig.sidecar(1).name()).collect();
    for n in 0..60 {
        let incident = owned[n % owned.len()];
        let response = rig.client().clone().alert(rig.envoy().url(), incident.webhook(1)).await?;
        assert_eq!(response.status, 503, "{}", response.text());
    }
    refused.release();
    assert_eq!(owners(&rig, &incidents, 2).await?, before);
    Ok(())
}
