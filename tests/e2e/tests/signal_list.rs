//! The signal list of an RR: what was merged into it, by name. Our CRD keeps it; kubernaut's prunes it (`crd/strict.rs`).

use anyhow::{Context, Result};
use http::Request;
use onceway::rr::{MAX_SIGNAL_NAMES, OTHERS};
use onceway_kit::fault_proxy::{Fault, RR_STATUS, Rule, Verb};
use onceway_kit::payload::{Alert, Incident, event, webhook};
use onceway_kit::rig::{Rig, Rr, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};

/// The entries as (name, count, severity).
fn entries(rr: &Rr) -> Vec<(&str, i32, &str)> {
    let signals = rr.signals().unwrap_or_default();
    signals.iter().map(|signal| (signal.name.as_str(), signal.count, signal.severity.as_str())).collect()
}

async fn only_rr(rig: &Rig, incident: &Incident) -> Result<Rr> {
    let mut rrs = rig.rrs_of(incident).await?;
    assert_eq!(rrs.len(), 1, "{}", rig.record().text());
    rrs.pop().context("no RR")
}

fn about(name: &str, severity: &str) -> Alert {
    Alert::firing(name).label("namespace", "prod").label("deployment", "payment-api").label("severity", severity)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_mixed_alerts_is_listed_by_name_and_the_list_adds_up_to_the_count() -> Result<()> {
    let rig = Rig::replicas(3).with_our_crd().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 2);
    let report = rig.storm(incidents.clone()).signals(600).concurrency(60).run().await;
    assert_eq!(report.total().attempts, 600, "nothing was sent again");
    rig.verdict(&report).await?;
    for incident in &incidents {
        let rr = only_rr(&rig, incident).await?;
        let mut listed = entries(&rr);
        listed.sort_unstable();
        let expected = [
            ("KubeDeploymentReplicasMismatch", 100, "warning"),
            ("KubePodCrashLooping", 100, "critical"),
            ("KubePodNotReady", 100, "warning"),
        ];
        assert_eq!(listed, expected);
        let deduplication = rr.status.context("no status")?.deduplication.context("no count")?;
        assert_eq!(deduplication.distinct_signals, Some(3));
        let last = deduplication.signals.into_iter().flatten().map(|signal| signal.last_seen_at).max();
        assert_eq!(last, deduplication.last_seen_at);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_counts_the_list_adds_up_to_the_count() -> Result<()> {
    let rig = Rig::replicas(3).with_our_crd().start().await?;
    let counts = || Rule::on(Verb::Patch, RR_STATUS);
    let faults = [Fault::LoseResponse, Fault::CutBefore, Fault::Respond(http::StatusCode::CONFLICT)];
    let rules: Vec<_> =
        faults.into_iter().enumerate().map(|(n, fault)| rig.proxy(n).rule(counts().every(4), fault)).collect();
    let incident = Incident::new("prod", "payment-api");
    let report = rig.storm(vec![incident.clone()]).signals(300).concurrency(20).max_attempts(50).run().await;
    rig.verdict(&report).await?;
    assert!(rules.iter().all(|rule| rule.injected() > 0), "{}", rig.record().text());
    let rr = only_rr(&rig, &incident).await?;
    assert_eq!((rr.listed(), entries(&rr).len()), (Some(rr.count()), 3));
    Ok(())
}

#[tokio::test]
async fn a_replica_that_meets_a_conflict_extends_the_list_of_the_other() -> Result<()> {
    let rig = Rig::replicas(2).with_our_crd().start().await?;
    let incident = Incident::new("prod", "payment-api");
    // The replicas take turns, so each finds that the other has counted since. The alerts have three names.
    for (n, replica) in [0, 1, 0, 1, 1, 0].into_iter().enumerate() {
        assert!(rig.alert(replica, &incident, n as u64).await?.status.is_success());
    }
    let rr = only_rr(&rig, &incident).await?;
    let expected = [
        ("KubeDeploymentReplicasMismatch", 2, "warning"),
        ("KubePodCrashLooping", 2, "critical"),
        ("KubePodNotReady", 2, "warning"),
    ];
    assert_eq!(entries(&rr), expected);
    let conflict = rig.record().count_of(|call| call.is(Verb::Patch, RR_STATUS) && call.result.is_status(409));
    assert!(conflict > 0, "{}", rig.record().text());
    Ok(())
}

#[tokio::test]
async fn an_event_is_listed_with_its_reason_and_type() -> Result<()> {
    let rig = Rig::replicas(1).with_our_crd().start().await?;
    let incident = Incident::new("prod", "payment-api");
    let body = event("Deployment", "prod", "payment-api", "FailedCreate");
    rig.client().signal(&rig.sidecar(0).url(), Source::KubernetesEvent, body).await?;
    rig.alert(0, &incident, 1).await?;
    let rr = only_rr(&rig, &incident).await?;
    assert_eq!(entries(&rr), [("FailedCreate", 1, "Warning"), ("KubePodCrashLooping", 1, "critical")]);
    Ok(())
}

#[tokio::test]
async fn names_beyond_the_limit_are_listed_together_and_kubectl_shows_how_many_there_are() -> Result<()> {
    let rig = Rig::replicas(1).with_our_crd().start().await?;
    let alerts: Vec<Alert> = (0..40).map(|n| about(&format!("Alert{n}"), "info")).collect();
    for body in [webhook(&alerts), webhook(&[about("Alert39", "critical"), about("Alert0", "page")])] {
        assert!(rig.client().clone().alert(rig.sidecar(0).url(), body).await?.status.is_success());
    }
    let rr = only_rr(&rig, &Incident::new("prod", "payment-api")).await?;
    assert_eq!((rr.count(), rr.listed()), (42, Some(42)));
    let listed = entries(&rr);
    assert_eq!(listed.len(), MAX_SIGNAL_NAMES + 1);
    assert_eq!((listed[0], listed[MAX_SIGNAL_NAMES]), (("Alert0", 2, "page"), (OTHERS, 21, "critical")));
    assert_eq!(wide_column(&rig, rr.name(), "Signals").await?, json!(MAX_SIGNAL_NAMES + 1));
    Ok(())
}

/// A cell of `kubectl get rr NAME -o wide`.
async fn wide_column(rig: &Rig, name: &str, column: &str) -> Result<Value> {
    let path = format!("/apis/kubernaut.ai/v1alpha1/namespaces/{}/remediationrequests/{name}", rig.namespace().name());
    let request = Request::get(path).header("accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    let table: Value = rig.namespace().client().request(request.body(Vec::new())?).await?;
    let columns = table["columnDefinitions"].as_array().context("no columns")?;
    let place = columns.iter().position(|definition| definition["name"] == column).context("no such column")?;
    Ok(table["rows"][0]["cells"][place].clone())
}

#[tokio::test]
async fn after_another_client_has_removed_the_list_signals_are_counted_and_listed_on() -> Result<()> {
    let rig = Rig::replicas(2).with_our_crd().start().await?;
    let incident = Incident::new("prod", "payment-api");
    rig.alert(0, &incident, 0).await?;
    let name = only_rr(&rig, &incident).await?.name().to_owned();
    rig.patch_status(&name, json!({"deduplication": {"signals": null, "distinctSignals": null}})).await?;
    for replica in [0, 1] {
        assert_eq!(rig.alert(replica, &incident, 1).await?.status, 202);
    }
    let rr = only_rr(&rig, &incident).await?;
    assert_eq!((rr.count(), entries(&rr)), (3, vec![("KubePodCrashLooping", 2, "critical")]));
    Ok(())
}

#[tokio::test]
async fn a_list_that_exceeds_the_count_is_started_over() -> Result<()> {
    let rig = Rig::replicas(1).with_our_crd().start().await?;
    let incident = Incident::new("prod", "payment-api");
    rig.alert(0, &incident, 0).await?;
    let name = only_rr(&rig, &incident).await?.name().to_owned();
    let theirs = json!({"name": "MadeUp", "count": 7, "severity": "warning", "lastSeenAt": "2026-03-01T10:00:00Z"});
    rig.patch_status(&name, json!({"deduplication": {"signals": [theirs]}})).await?;
    assert_eq!(rig.alert(0, &incident, 1).await?.status, 202);
    let rr = only_rr(&rig, &incident).await?;
    assert_eq!((rr.count(), entries(&rr)), (2, vec![("KubePodCrashLooping", 1, "critical")]));
    Ok(())
}
