//! Forced races: the fault proxies hold API calls and release them in the critical order.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use onceway_kit::client::ClientResponse;
use onceway_kit::fault_proxy::{Fault, LEASES, RR_STATUS, RRS, Rule, RuleHandle, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// Attempts at a race within one second.
const TRIES: usize = 10;

/// Sends an alert to a replica, in a task.
fn send(rig: &Rig, replica: usize, incident: &Incident, n: u64) -> JoinHandle<Result<ClientResponse>> {
    tokio::spawn(rig.client().clone().alert(rig.sidecar(replica).url(), incident.webhook(n)))
}

fn hold(rig: &Rig, replica: usize, verb: Verb, resource: &str) -> RuleHandle {
    rig.proxy(replica).rule(Rule::on(verb, resource).once(), Fault::Hold)
}

async fn statuses(all: impl IntoIterator<Item = JoinHandle<Result<ClientResponse>>>) -> Result<Vec<u16>> {
    let mut statuses = Vec::new();
    for one in all {
        statuses.push(one.await??.status.as_u16());
    }
    statuses.sort_unstable();
    Ok(statuses)
}

/// Waits for the next second of the wall clock: names contain the second.
async fn next_second() -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    sleep(Duration::from_secs(1) - Duration::from_nanos(now.subsec_nanos().into()) + Duration::from_millis(5)).await;
    Ok(())
}

/// Two replicas have both seen that there is no claim, and both create it; replica `first` is first.
async fn both_create_the_claim(across_seconds: bool, first: usize) -> Result<()> {
    // On a loaded machine the two creates may fall into different seconds.
    for attempt in 0..TRIES {
        let incident = Incident::new("prod", &format!("payment-api-{attempt}"));
        if both_create_the_claim_of(&incident, across_seconds, first).await? {
            return Ok(());
        }
    }
    anyhow::bail!("two creates never fell into the same second in {TRIES} attempts")
}

/// Returns whether the two names are of one second, or of two, as wanted; only then does it test the race.
async fn both_create_the_claim_of(incident: &Incident, across_seconds: bool, first: usize) -> Result<bool> {
    let rig = Rig::replicas(2).with_long_timeouts().start().await?;
    let holds = [hold(&rig, 0, Verb::Create, LEASES), hold(&rig, 1, Verb::Create, LEASES)];
    next_second().await?;
    let one = send(&rig, 0, incident, 0);
    holds[0].reached().await;
    if across_seconds {
        next_second().await?;
    }
    let other = send(&rig, 1, incident, 1);
    holds[1].reached().await;
    let differ = held_names_differ(&rig)?;
    if differ != across_seconds {
        ensure!(differ, "names of two seconds are the same: {}", rig.record().text());
        return Ok(false);
    }

    holds[first].release();
    rig.record()
        .wait_for(|calls| calls.iter().any(|call| call.is(Verb::Create, LEASES) && call.ended.is_some()))
        .await?;
    holds[1 - first].release();
    assert_eq!(statuses([one, other]).await?, [201, 202]);
    let rrs = rig.rrs_of(incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 2), "{}", rig.record().text());
    Ok(true)
}

/// Whether the two held claims name different RRs.
fn held_names_differ(rig: &Rig) -> Result<bool> {
    let calls = rig.record().calls();
    let intents: Vec<String> = calls
        .iter()
        .filter(|call| call.is(Verb::Create, LEASES))
        .map(|call| {
            let body: serde_json::Value = serde_json::from_slice(&call.body)?;
            body["metadata"]["annotations"]["onceway.io/intent"].as_str().map(str::to_owned).context("no intent")
        })
        .collect::<Result<_>>()?;
    let [one, other] = &intents[..] else { anyhow::bail!("not two claims: {intents:?}") };
    Ok(one != other)
}

#[tokio::test]
async fn two_replicas_that_see_nothing_within_one_second_create_one_rr_in_either_order() -> Result<()> {
    both_create_the_claim(false, 0).await?;
    both_create_the_claim(false, 1).await
}

#[tokio::test]
async fn two_replicas_that_see_nothing_in_different_seconds_create_one_rr_in_either_order() -> Result<()> {
    both_create_the_claim(true, 0).await?;
    both_create_the_claim(true, 1).await
}

#[tokio::test]
async fn a_create_that_is_held_while_another_replica_takes_over_creates_no_second_rr() -> Result<()> {
    let rig = Rig::replicas(2).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let create = hold(&rig, 0, Verb::Create, RRS);
    let late = send(&rig, 0, &incident, 0);
    create.reached().await;
    next_second().await?;
    assert_eq!(rig.alert(1, &incident, 1).await?.status, 201);
    create.release();
    assert_eq!(late.await??.status, 202);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 2));
    Ok(())
}

#[tokio::test]
async fn an_rr_that_a_read_just_missed_is_not_taken_for_deleted_once_the_index_shows_it() -> Result<()> {
    let rig = Rig::replicas(2).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let create = hold(&rig, 0, Verb::Create, RRS);
    let first = send(&rig, 0, &incident, 0);
    create.reached().await;
    // Replica 1 finds the claim and no RR, and hears of that only after its index has heard of the RR.
    let missed = rig.proxy(1).rule(Rule::on(Verb::Get, RRS).once(), Fault::HoldResponse);
    let other = send(&rig, 1, &incident, 1);
    missed.reached().await;
    create.release();
    rig.until_seen_by(1).await?;
    missed.release();
    assert_eq!(statuses([first, other]).await?, [201, 202], "{}", rig.record().text());
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 2), "{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn a_late_create_of_a_deleted_rrs_name_is_removed_by_its_creator() -> Result<()> {
    let rig = Rig::replicas(2).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let create = hold(&rig, 0, Verb::Create, RRS);
    let late = send(&rig, 0, &incident, 0);
    create.reached().await;
    // Meanwhile another replica creates that RR; it is completed and deleted, and the incident recurs.
    assert_eq!(rig.alert(1, &incident, 1).await?.status, 201);
    rig.until_seen_by(1).await?;
    let first = rig.finish_and_delete(&incident).await?;
    assert_eq!(rig.alert(1, &incident, 2).await?.status, 201);
    next_second().await?;

    create.release();
    assert_eq!(late.await??.status, 202, "{}", rig.record().text());
    assert_eq!(rig.record().count(Verb::Delete, RRS), 1, "the late RR existed for a moment:\n{}", rig.record().text());
    let rrs = rig.rrs_of(&incident).await?;
    assert_ne!(rrs[0].name(), first);
    assert_eq!((rrs.len(), rrs[0].count()), (1, 2));
    Ok(())
}

#[tokio::test]
async fn a_count_for_an_rr_that_became_terminal_goes_into_the_next_one() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
    let first = rig.rrs_of(&incident).await?[0].name().to_owned();
    let count = hold(&rig, 0, Verb::Patch, RR_STATUS);
    let held = send(&rig, 0, &incident, 1);
    count.reached().await;
    rig.set_phase(&first, "Failed").await?;
    count.release();
    assert_eq!(held.await??.status, 201);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!(rrs.iter().map(RrExt::count).collect::<Vec<_>>(), [1, 1]);
    Ok(())
}

#[tokio::test]
async fn a_retried_create_that_finds_its_own_lost_create_returns_201() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::LoseResponse);
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
    assert_eq!(rig.record().count_of(|call| call.is(Verb::Create, RRS) && call.result.is_status(409)), 1);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 1));
    Ok(())
}
