//! Garbage collection: duplicate RRs of other programs, late RRs of dead creators, and unused claims.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use onceway_kit::fault_proxy::{Fault, LEASES, RR_STATUS, RRS, Rule, Verb};
use onceway_kit::payload::Incident;
use onceway_kit::poll;
use onceway_kit::rig::{Rig, RrExt};
use serde_json::{Value, json};

/// How long garbage collection may take at the intervals of these tests.
const SOON: Duration = Duration::from_secs(60);
/// `sweepAfter` of these tests.
const SWEEP_AFTER: Duration = Duration::from_secs(8);

fn incident() -> Incident {
    Incident::new("prod", "payment-api")
}

/// Short intervals: the sidecar looks at everything every half second. [`SWEEP_AFTER`] is the least that the deadline
/// allows, and the deadline leaves room for a loaded machine.
fn short_intervals(duplicates: &str) -> Value {
    json!({
        "duplicates": duplicates,
        "limits": {"deadline": "4s", "apiCallTimeout": "2s"},
        "housekeeping": {
            "reapInterval": "500ms", "sweepInterval": "500ms", "sweepAfter": "8s", "maxSweepsPerSecond": 1000
        },
    })
}

fn leases(rig: &Rig) -> Api<Lease> {
    Api::namespaced(rig.namespace().client().clone(), rig.namespace().name())
}

/// Waits until `holds`.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    poll::until(SOON, what, async || Ok(holds().await?.then_some(()))).await
}

async fn duplicates_detected(rig: &Rig) -> Result<f64> {
    let mut sum = 0.0;
    for sidecar in rig.sidecars() {
        sum += sidecar.scrape().await?.sum("gateway_duplicate_crds_detected_total", &[]);
    }
    Ok(sum)
}

#[tokio::test]
async fn a_foreign_duplicate_is_reported_once_by_all_replicas_together_and_left_alone() -> Result<()> {
    let rig = Rig::replicas(3).config(short_intervals("report")).start().await?;
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 201);
    let first = rig.rrs_of(&incident()).await?.swap_remove(0);
    // Within a second the order of names decides.
    rig.create_foreign(&incident(), "zz-made-by-hand").await?;
    until("reported", async || Ok(duplicates_detected(&rig).await? >= 1.0)).await?;
    // Each replica tries to create the event, and one succeeds.
    let all_tried = |calls: &[onceway_kit::fault_proxy::Call]| {
        calls.iter().filter(|call| call.is(Verb::Create, "events") && call.ended.is_some()).count() >= 3
    };
    rig.record().wait_for(all_tried).await?;
    let events = Api::<Event>::namespaced(rig.namespace().client().clone(), rig.namespace().name());
    let events = events.list(&ListParams::default()).await?.items;
    assert_eq!(events.len(), 1, "{events:#?}");
    let event = &events[0];
    assert_eq!(
        (event.type_.as_deref(), event.reason.as_deref()),
        (Some("Warning"), Some("DuplicateRemediationRequest"))
    );
    assert_eq!(event.involved_object.name.as_deref(), Some("zz-made-by-hand"));
    let message = event.message.as_deref().unwrap_or_default();
    assert!(message.contains(first.name()) && message.contains("zz-made-by-hand"), "{message}");
    assert!((duplicates_detected(&rig).await? - 1.0).abs() < f64::EPSILON);
    let phases = rig.rrs_of(&incident()).await?.into_iter().map(|rr| rr.status.and_then(|status| status.overall_phase));
    assert_eq!(phases.collect::<Vec<_>>(), [None, None], "`report` changes no phase");
    // Further signals are counted in the RR that the claim names.
    assert_eq!(rig.alert(1, &incident(), 1).await?.status, 202);
    let counts: Vec<u64> = rig.rrs_of(&incident()).await?.iter().map(RrExt::count).collect();
    assert_eq!(counts, [2, 0]);
    Ok(())
}

#[tokio::test]
async fn where_duplicates_are_skipped_the_oldest_stays_and_a_started_one_wins() -> Result<()> {
    let rig = Rig::replicas(1).config(short_intervals("skip")).start().await?;
    rig.create_foreign(&incident(), "a-oldest").await?;
    rig.create_foreign(&incident(), "b-started").await?;
    rig.set_phase("b-started", "Processing").await?;
    rig.create_foreign(&incident(), "c-unstarted").await?;
    let status = async |name: &str| anyhow::Ok(rig.rr_api().get(name).await?.status.unwrap_or_default());
    until("skipped", async || Ok(status("c-unstarted").await?.overall_phase.as_deref() == Some("Skipped"))).await?;
    let skipped = status("c-unstarted").await?;
    assert_eq!(skipped.routing_status.and_then(|routing| routing.duplicate_of).as_deref(), Some("a-oldest"));
    assert_eq!(status("a-oldest").await?.overall_phase, None);
    assert_eq!(status("b-started").await?.overall_phase.as_deref(), Some("Processing"));
    Ok(())
}

#[tokio::test]
async fn a_controller_that_starts_a_duplicate_in_the_last_moment_wins() -> Result<()> {
    let rig = Rig::replicas(1).config(short_intervals("skip")).start().await?;
    let skip = rig.proxy(0).rule(Rule::on(Verb::Patch, RR_STATUS).once(), Fault::Hold);
    rig.create_foreign(&incident(), "a-oldest").await?;
    rig.create_foreign(&incident(), "b-younger").await?;
    skip.reached().await;
    rig.set_phase("b-younger", "Processing").await?;
    skip.release();
    rig.record()
        .wait_for(|calls| calls.iter().any(|call| call.is(Verb::Patch, RR_STATUS) && call.result.is_status(409)))
        .await?;
    let younger = rig.rr_api().get("b-younger").await?;
    assert_eq!(younger.status.and_then(|status| status.overall_phase).as_deref(), Some("Processing"));
    Ok(())
}

#[tokio::test]
async fn a_late_rr_of_a_dead_creator_is_deleted() -> Result<()> {
    let rig = Rig::replicas(2).config(short_intervals("report")).start().await?;
    // Replica 0 is killed while the proxy holds its create; replica 1 takes over, and its RR is completed and deleted.
    let create = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::Hold);
    let lost = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident().webhook(0)));
    create.reached().await;
    rig.sidecar(0).service().kill().await?;
    assert!(lost.await?.is_err());
    assert_eq!(rig.alert(1, &incident(), 1).await?.status, 201);
    rig.until_seen_by(1).await?;
    let first = rig.finish_and_delete(&incident()).await?;
    assert_eq!(rig.alert(1, &incident(), 2).await?.status, 201);
    // Now the dead replica's create arrives: an RR of the old name, which is no claim's intent.
    create.release();
    rig.record()
        .wait_for(|calls| {
            calls
                .iter()
                .any(|call| call.replica == "onceway-0" && call.is(Verb::Create, RRS) && call.result.is_status(201))
        })
        .await?;
    until("deleted", async || Ok(rig.rrs_of(&incident()).await?.len() == 1)).await?;
    let left = rig.rrs_of(&incident()).await?;
    assert_ne!(left[0].name(), first);
    assert_eq!(left[0].count(), 1);
    rig.sidecar(1).until_metric("gateway_housekeeping_removed_total", |value| value >= 1.0).await
}

#[tokio::test]
async fn an_rr_that_is_a_claims_intent_is_not_deleted_while_it_has_no_count() -> Result<()> {
    let rig = Rig::replicas(2).config(short_intervals("report")).start().await?;
    let count = rig.proxy(0).rule(Rule::on(Verb::Patch, RR_STATUS), Fault::Hold);
    let waiting = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident().webhook(0)));
    count.reached().await;
    // Replica 1 has looked at the RR, then at its claim.
    let looked = |calls: &[onceway_kit::fault_proxy::Call]| {
        calls.iter().filter(|call| call.replica == "onceway-1" && call.is(Verb::Get, LEASES)).count() >= 2
    };
    rig.record().wait_for(looked).await?;
    assert_eq!(rig.rrs_of(&incident()).await?.len(), 1);
    assert_eq!(rig.record().count(Verb::Delete, RRS), 0);
    count.release();
    waiting.await??;
    Ok(())
}

#[tokio::test]
async fn a_claim_whose_rr_is_gone_is_deleted_and_one_whose_rr_exists_is_not() -> Result<()> {
    let rig = Rig::replicas(2).config(short_intervals("report")).start().await?;
    let ended = Incident::new("prod", "checkout-api");
    assert_eq!(rig.alert(0, &incident(), 0).await?.status, 201);
    assert_eq!(rig.alert(0, &ended, 0).await?.status, 201);
    for incident in [incident(), ended.clone()] {
        let rr = rig.rrs_of(&incident).await?.swap_remove(0);
        rig.set_phase(rr.name(), "Completed").await?;
    }
    let gone = rig.rrs_of(&incident()).await?.swap_remove(0);
    rig.rr_api().delete(gone.name(), &DeleteParams::default()).await?;
    until("deleted", async || Ok(rig.claim(&incident()).await?.is_none())).await?;
    assert!(rig.claim(&ended).await?.is_some(), "its RR exists, though it is terminal");
    assert_eq!(rig.alert(1, &incident(), 1).await?.status, 201, "a new incident begins with a new claim");
    assert_eq!(rig.rrs_of(&incident()).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_open_claim_is_deleted_only_after_it_was_unchanged_for_sweep_after() -> Result<()> {
    let rig = Rig::replicas(2).config(short_intervals("report")).start().await?;
    let create = rig.proxy(0).rule(Rule::on(Verb::Create, RRS).once(), Fault::CutBefore);
    rig.proxy(0).rule(Rule::on(Verb::Create, RRS), Fault::Hold);
    let lost = tokio::spawn(rig.client().clone().alert(rig.sidecar(0).url(), incident().webhook(0)));
    create.reached().await;
    rig.sidecar(0).service().kill().await?;
    let _ = lost.await?;
    let open = rig.claim(&incident()).await?.context("the claim is there")?;
    // Its floor makes it look old. What counts is how long its resourceVersion has been unchanged.
    let annotations = json!({"metadata": {"annotations": {"onceway.io/floor": "1000000000"}}});
    let name = open.metadata.name.context("a lease has a name")?;
    // Taken before the change: a delay in the test cannot make the measured time shorter than the real one.
    let before = tokio::time::Instant::now();
    leases(&rig).patch(&name, &PatchParams::default(), &Patch::Merge(annotations)).await?;
    until("deleted", async || Ok(rig.claim(&incident()).await?.is_none())).await?;
    assert!(before.elapsed() >= SWEEP_AFTER, "after {:?}", before.elapsed());
    Ok(())
}
