//! An RR's phase decides about the next signal of its incident.

use anyhow::Result;
use jiff::{Timestamp, ToSpan};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use onceway_kit::cluster::deploy::is_our_crd;
use onceway_kit::payload::Incident;
use onceway_kit::rig::{Rig, Rr, RrExt};
use serde_json::json;

const TERMINAL: [&str; 5] = ["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"];
const ACTIVE: [&str; 8] =
    ["Pending", "Processing", "Analyzing", "AwaitingApproval", "Executing", "Verifying", "Blocked", "SomethingNew"];

/// An incident whose RR exists, and that RR's name.
async fn opened(rig: &Rig, deployment: &str) -> Result<(Incident, String)> {
    let incident = Incident::new("prod", &deployment.to_lowercase());
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
    let name = rig.rrs_of(&incident).await?[0].name().to_owned();
    Ok((incident, name))
}

#[tokio::test]
async fn after_each_terminal_phase_a_signal_opens_a_new_rr_with_a_later_name() -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    for phase in TERMINAL {
        let (incident, first) = opened(&rig, phase).await?;
        rig.set_phase(&first, phase).await?;
        // The replica that knows the RR, and one that does not.
        assert_eq!(rig.alert(0, &incident, 1).await?.status, 201, "{phase}");
        assert_eq!(rig.alert(1, &incident, 2).await?.status, 202, "{phase}");
        let rrs = rig.rrs_of(&incident).await?;
        assert_eq!(rrs.iter().map(RrExt::count).collect::<Vec<_>>(), [1, 2], "{phase}");
        assert!(rrs[1].name() > rrs[0].name(), "{} is not later than {}", rrs[1].name(), rrs[0].name());
    }
    Ok(())
}

#[tokio::test]
async fn in_each_other_phase_a_signal_is_a_duplicate() -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    // kubernaut's CRD names the phases that there are.
    let ours = is_our_crd()?;
    for phase in ACTIVE.into_iter().filter(|phase| ours || *phase != "SomethingNew") {
        let (incident, first) = opened(&rig, phase).await?;
        rig.set_phase(&first, phase).await?;
        assert_eq!(rig.alert(0, &incident, 1).await?.status, 202, "{phase}");
        assert_eq!(rig.alert(1, &incident, 2).await?.status, 202, "{phase}");
        let rrs = rig.rrs_of(&incident).await?;
        assert_eq!((rrs.len(), rrs[0].count()), (1, 3), "{phase}");
    }
    Ok(())
}

#[tokio::test]
async fn manual_review_suppresses_a_new_rr_and_signals_are_counted() -> Result<()> {
    let rig = Rig::replicas(2).start().await?;
    let (incident, first) = opened(&rig, "reviewed").await?;
    let review = json!({"overallPhase": "Failed", "completionStatus": {"outcome": "ManualReviewRequired"}});
    rig.patch_status(&first, review).await?;
    for (n, replica) in [0, 1, 0].into_iter().enumerate() {
        assert_eq!(rig.alert(replica, &incident, n as u64 + 1).await?.status, 202);
    }
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 4));
    Ok(())
}

#[tokio::test]
async fn a_block_suppresses_a_new_rr_until_it_expires() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let (incident, first) = opened(&rig, "blocked").await?;
    let blocked_until = |at: Timestamp| {
        let at = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        json!({"overallPhase": "Failed", "routingStatus": {"nextAllowedExecution": at}})
    };
    rig.patch_status(&first, blocked_until(Timestamp::now() + 1.hour())).await?;
    assert_eq!(rig.alert(0, &incident, 1).await?.status, 202);
    assert_eq!(rig.alert(0, &incident, 2).await?.status, 202);
    rig.patch_status(&first, blocked_until(Timestamp::now() - 1.second())).await?;
    assert_eq!(rig.alert(0, &incident, 3).await?.status, 201);
    assert_eq!(rig.rrs_of(&incident).await?.iter().map(RrExt::count).collect::<Vec<_>>(), [3, 1]);
    Ok(())
}

#[tokio::test]
async fn a_deleted_rr_is_followed_by_a_new_one_with_a_later_name() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let (incident, first) = opened(&rig, "deleted").await?;
    rig.until_seen_by(0).await?;
    rig.rr_api().delete(&first, &kube::api::DeleteParams::default()).await?;
    assert_eq!(rig.alert(0, &incident, 1).await?.status, 201);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 1));
    assert!(*rrs[0].name() > *first);
    Ok(())
}

#[tokio::test]
async fn a_name_of_another_incidents_rr_is_skipped() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let (_, taken) = opened(&rig, "other").await?;
    let incident = Incident::new("prod", "payment-api");
    let lease: Lease = serde_json::from_value(json!({
        "metadata": {"name": format!("onceway-{}", incident.fingerprint()), "annotations": {
            "onceway.io/intent": taken, "onceway.io/created": "false", "onceway.io/floor": "1"}},
        "spec": {"holderIdentity": "gone_1", "leaseDurationSeconds": 30},
    }))?;
    let leases = Api::namespaced(rig.namespace().client().clone(), rig.namespace().name());
    leases.create(&PostParams::default(), &lease).await?;
    assert_eq!(rig.alert(0, &incident, 0).await?.status, 201);
    let rrs = rig.rrs_of(&incident).await?;
    assert_eq!((rrs.len(), rrs[0].count()), (1, 1));
    let theirs: Rr = rig.rr_api().get(&taken).await?;
    assert_eq!(theirs.count(), 1, "the other incident's RR is unchanged");
    Ok(())
}

#[tokio::test]
async fn fields_of_other_controllers_survive_a_count() -> Result<()> {
    let rig = Rig::replicas(1).start().await?;
    let (incident, first) = opened(&rig, "shared").await?;
    // kubernaut's CRD prunes what it does not name.
    let (field, theirs) = if is_our_crd()? {
        ("notOurs", json!({"deep": [1, 2]}))
    } else {
        ("routingStatus", json!({"consecutiveFailureCount": 2}))
    };
    rig.patch_status(&first, json!({"overallPhase": "Executing", field: theirs})).await?;
    assert_eq!(rig.alert(0, &incident, 1).await?.status, 202);
    let client = rig.namespace().client().clone();
    let kind = kube::api::ApiResource::erase::<Rr>(&());
    let api = Api::<kube::api::DynamicObject>::namespaced_with(client, rig.namespace().name(), &kind);
    let status = api.get(&first).await?.data["status"].clone();
    assert_eq!(status[field], theirs);
    assert_eq!(
        (&status["overallPhase"], &status["deduplication"]["occurrenceCount"]),
        (&json!("Executing"), &json!(2))
    );
    Ok(())
}
