//! A cluster with a stricter CRD than ours: it has exactly the fields of the design and prunes all others. With
//! `ONCEWAY_CRD=kubernaut` it is kubernaut's.

use std::sync::Arc;

use anyhow::{Context, Result};
use onceway_kit::cluster::Cluster;
use onceway_kit::cluster::deploy::is_our_crd;
use onceway_kit::fault_proxy::{Call, RR_STATUS, RRS, Verb};
use onceway_kit::payload::{Alert, Incident, event, webhook};
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};

use super::stored;

const STRICT: &str = "tests/e2e/tests/crd/strict.yaml";

async fn strict_cluster() -> Result<Arc<Cluster>> {
    if is_our_crd()? { Cluster::start_with_crd(STRICT).await } else { Cluster::shared().await }
}

/// What a CRD without a signal list prunes of a count.
const LIST: [&str; 2] = ["distinctSignals", "signals"];

/// Asserts that the API server pruned the signal list, and changed nothing else: every RR is stored as its create was
/// sent, and its status has the other fields of the last count.
async fn only_the_list_is_pruned(rig: &Rig) -> Result<()> {
    let calls = rig.record().calls();
    let written = |verb: Verb, resource: &'static str| move |call: &&Call| call.is(verb, resource);
    for call in calls.iter().filter(written(Verb::Create, RRS)).filter(|call| call.result.is_status(201)) {
        let name = call.name.as_deref().context("a create without a name")?;
        let rr = stored(rig).get(name).await?;
        let sent: Value = serde_json::from_slice(&call.body)?;
        assert_eq!(rr.data["spec"], sent["spec"], "{name}");
        let (labels, annotations) = (&sent["metadata"]["labels"], &sent["metadata"]["annotations"]);
        assert_eq!((&json!(rr.metadata.labels), &json!(rr.metadata.annotations)), (labels, annotations), "{name}");

        let mut counts =
            calls.iter().filter(written(Verb::Patch, RR_STATUS)).filter(|call| call.name.as_deref() == Some(name));
        let last = counts.rfind(|call| call.result.is_status(200)).context("never counted")?;
        let sent: Value = serde_json::from_slice(&last.body)?;
        let count = &rr.data["status"]["deduplication"];
        for (field, value) in sent["status"]["deduplication"].as_object().into_iter().flatten() {
            assert_eq!(
                &count[field],
                if LIST.contains(&field.as_str()) { &Value::Null } else { value },
                "{name}: {field}"
            );
        }
        let fields: Vec<&String> = count.as_object().into_iter().flatten().map(|(field, _)| field).collect();
        assert_eq!(fields, ["firstSeenAt", "lastSeenAt", "occurrenceCount"], "{name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_a_crd_of_exactly_the_designs_fields_storms_are_exact_and_only_the_signal_list_is_pruned() -> Result<()> {
    let cluster = strict_cluster().await?;
    let rig = Rig::replicas(3).with_envoy().in_cluster(cluster).with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 5);
    let report = rig.storm(incidents.clone()).signals(500).concurrency(50).run().await;
    let verdict = rig.verdict(&report).await?;
    assert!(verdict.incidents.iter().all(|incident| incident.counted == 100), "{verdict:#?}");
    only_the_list_is_pruned(&rig).await?;

    // Each count starts its list over, since the RR has none.
    let again = rig.storm(incidents.clone()).signals(500).concurrency(50).first(500).run().await;
    let verdict = rig.verdict(&report.merge(again)).await?;
    assert!(verdict.incidents.iter().all(|incident| incident.counted == 200), "{verdict:#?}");
    only_the_list_is_pruned(&rig).await?;

    // The incidents recur, after each terminal phase.
    for (incident, phase) in incidents.iter().zip(["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"]) {
        let name = rig.rrs_of(incident).await?[0].name().to_owned();
        rig.set_phase(&name, phase).await?;
    }
    let report = rig.storm(incidents.clone()).signals(500).concurrency(50).first(1000).run().await;
    assert_eq!((report.total().status(201), report.total().status(202)), (5, 495));
    for incident in &incidents {
        let counts: Vec<u64> = rig.rrs_of(incident).await?.iter().map(RrExt::count).collect();
        assert_eq!(counts, [200, 100], "{}", incident.deployment());
    }
    only_the_list_is_pruned(&rig).await
}

#[tokio::test]
async fn under_that_crd_every_kind_of_signal_creates_an_rr() -> Result<()> {
    let cluster = strict_cluster().await?;
    let rig = Rig::replicas(1).in_cluster(cluster).start().await?;
    let long = |characters: usize| "é".repeat(characters);
    let alerts = [
        Alert::firing("Heartbeat"),
        Alert::firing("NodeDown").label("node", "worker-1").label("namespace", "monitoring"),
        Alert::firing("QuotaFull").label("namespace", "prod"),
        Alert::firing("PodDown").label("namespace", "prod").label("pod", "bare").label("severity", ""),
        Alert::firing(&long(253))
            .label("cluster", &long(253))
            .label("severity", &long(60))
            .label("node", &"n".repeat(253)),
        Alert::firing("Long").label("deployment", "d").annotation("description", &"\u{1}".repeat(100_000)),
    ];
    let events = [
        event("Deployment", "prod", "payment-api", "FailedCreate"),
        event("Node", "", "worker-2", "NodeNotReady"),
        event("Backup", "prod", "nightly", "Failed").replace("\"v1\"", "\"velero.io/v1\""),
    ];
    let webhooks = alerts.iter().map(|alert| (Source::Prometheus, webhook(std::slice::from_ref(alert))));
    let bodies: Vec<_> = webhooks.chain(events.into_iter().map(|event| (Source::KubernetesEvent, event))).collect();
    for (source, body) in &bodies {
        for status in [201, 202] {
            let response = rig.client().signal(&rig.sidecar(0).url(), *source, body.clone()).await?;
            assert_eq!(response.status, status, "{body}: {}", response.text());
        }
    }
    let rrs = rig.rrs().await?;
    assert_eq!(rrs.len(), bodies.len());
    assert!(rrs.iter().all(|rr| rr.count() == 2));
    only_the_list_is_pruned(&rig).await
}
