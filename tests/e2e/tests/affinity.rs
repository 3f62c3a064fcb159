//! Affinity: Envoy sends all signals of an incident to one replica while that replica lives.

use anyhow::Result;
use http::StatusCode;
use onceway_kit::fault_proxy::{Fault, Rule};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};

const INCIDENTS: usize = 24;
#[tokio::test]
async fn signals_of_one_incident_always_reach_the_same_replica() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", INCIDENTS);
    let first = rig.settled_owners(&rig.envoy().url(), &incidents, &mut 0, 3).await?;
    for n in 0..3 {
        assert_eq!(rig.owners(&rig.envoy().url(), &incidents, n).await?, first);
    }
    Ok(())
}

#[tokio::test]
async fn a_replica_that_dies_moves_its_own_incidents_and_no_others() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", INCIDENTS);
    let (url, mut rounds) = (rig.envoy().url(), 0);
    let before = rig.settled_owners(&url, &incidents, &mut rounds, 3).await?;
    let dead = rig.sidecar(1);
    dead.service().kill().await?;
    rig.envoy().until_healthy(2).await?;
    let after = rig.settled_owners(&url, &incidents, &mut rounds, 2).await?;
    for (incident, owner) in &before {
        if owner == dead.name() {
            assert_ne!(after[incident], *owner);
        } else {
            assert_eq!(after[incident], *owner, "{incident} moved, though its owner lives");
        }
    }
    dead.service().restart()?;
    rig.envoy().until_healthy(3).await?;
    assert_eq!(
        rig.settled_owners(&url, &incidents, &mut rounds, 3).await?,
        before,
        "all incidents return when it is back"
    );
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
    let before = rig.settled_owners(&rig.envoy().url(), &incidents, &mut 0, 3).await?;
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
    assert_eq!(rig.owners(&rig.envoy().url(), &incidents, 2).await?, before);
    Ok(())
}
