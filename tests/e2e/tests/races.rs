//! Races that are forced: requests are held at the API server's door, and let go in the order that hurts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use onceway_kit::client::Answer;
use onceway_kit::fault_proxy::{Fault, LEASES, RR_STATUS, RRS, Rule, RuleHandle, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, RrExt};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How often a race within one second is tried.
const TRIES: usize = 10;

/// An alert on its way to a replica.
fn send(rig: &Rig, replica: usize, incident: &Incident, n: u64) -> JoinHandle<Result<Answer>> {
    tokio::spawn(rig.client().clone().alert(rig.sidecar(replica).url(), incident.webhook(n)))
}

fn hold(rig: &Rig, replica: usize, verb: Verb, resource: &str) -> RuleHandle {
    rig.proxy(replica).rule(Rule::on(verb, resource).once(), Fault::Hold)
}

async fn statuses(all: impl IntoIterator<Item = JoinHandle<Result<Answer>>>) -> Result<Vec<u16>> {
    let mut statuses = Vec::new();
    for one in all {
        statuses.push(one.await??.status.as_u16());
    }
    statuses.sort_unstable();
    Ok(statuses)
}

/// Waits until the wall clock shows another second: names are made of seconds.
async fn next_second() -> Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    sleep(Duration::from_secs(1) - Duration::from_nanos(now.subsec_nanos().into()) + Duration::from_millis(5)).await;
    Ok(())
}

/// Two replicas have both seen that there is no claim, and both are about to create it.
async fn both_create_the_claim(across_seconds: bool, first: usize) -> Result<()> {
    // A loaded machine may not get both to that point within one second.
    for try_ in 0..TRIES {
        let incident = Incident::new("prod", &format!("payment-api-{try_}"));
        if both_create_the_claim_of(&incident, across_seconds, first).await? {
            return Ok(());
        }
    }
    anyhow::bail!("two replicas never came to the same second in {TRIES} tries")
}

/// Whether it came to that: the two names are of one second, or of two, as wanted.
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

/// Whether the two claims that are held would name different RRs.
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
async fn two_replicas_that_see_nothing_within_one_second_make_one_rr_whoever_is_first() -> Result<()> {
    both_create_the_claim(false, 0).await?;
    both_create_the_claim(false, 1).await
}

#[tokio::test]
async fn two_replicas_that_see_nothing_in_different_seconds_make_one_rr_whoever_is_first() -> Result<()> {
    both_create_the_claim(true, 0).await?;
    both_create_the_claim(true, 1).await
}

#[tokio::test]
async fn a_create_that_is_held_while_another_replica_takes_over_makes_no_second_rr() -> Result<()> {
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
async fn a_late_create_of_a_name_that_is_over_and_deleted_is_removed_by_its_own_creator() -> Result<()> {
    let rig = Rig::replicas(2).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let create = hold(&rig, 0, Verb::Create, RRS);
    let late = send(&rig, 0, &incident, 0);
    create.reached().await;
    // Meanwhile another replica makes that very RR, and the incident runs its course: ended, deleted, and opened anew.
    assert_eq!(rig.alert(1, &incident, 1).await?.status, 201);
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
async fn a_count_that_meets_an_rr_which_ended_meanwhile_goes_into_the_next_one() -> Result<()> {
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
async fn a_create_that_finds_its_own_name_taken_by_its_own_lost_create_says_created() -> Result<()> {
    let rig = Rig::replicas(1).with_long_timeouts().start().await?;
    let incident = Incident::new("prod", "payment-api");
    rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::LoseResponse);
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
    assert_eq!(rig.record().count_of(|call| call.is(Verb::Create, RRS) && call.result.is_status(409)), 1);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 1));
    Ok(())
}
