//! Target rules in the real system: the incidents of real alerts, rules that differ between filter and sidecar, and a
//! changed rule set that is rolled out.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use onceway_kit::envoy::configure_filter;
use onceway_kit::payload::{Alert, Incident, webhook};
use onceway_kit::rig::{Rig, RrExt};
use onceway_signal::Source;
use serde_json::{Value, json};

const NODES: usize = 10;
/// Rules about node-exporter's metrics in kube-prometheus.
const ALERTS: usize = 27;
/// Alerts that two of these rules raise, the second as critical.
const TWICE: [&str; 5] = [
    "NodeFilesystemSpaceFillingUp",
    "NodeFilesystemAlmostOutOfSpace",
    "NodeFilesystemFilesFillingUp",
    "NodeFilesystemAlmostOutOfFiles",
    "NodeFileDescriptorLimit",
];
const ROLL_LIMIT: Duration = Duration::from_secs(60);

/// The alerts that node-exporter's metrics raise, as `signal/tests/field` has them: `alert` is the name.
fn node_alerts() -> Result<Vec<Value>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../signal/tests/field/rules-kube-prometheus.jsonl");
    let rows: Result<Vec<Value>, _> = fs::read_to_string(path)?.lines().map(serde_json::from_str).collect();
    let mut rows = rows?;
    rows.retain(|row| row["labels"]["job"] == "node-exporter");
    let mut critical: Vec<Value> =
        rows.iter().filter(|row| TWICE.iter().any(|name| row["alert"] == *name)).cloned().collect();
    critical.iter_mut().for_each(|row| row["severity"] = json!("critical"));
    rows.append(&mut critical);
    Ok(rows)
}

/// The alert about one node: its exporter's pod, and the node in `instance`.
fn about(row: &Value, node: usize) -> Alert {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let labels = row["labels"].as_object().into_iter().flatten();
    let alert =
        labels.fold(Alert::firing(&text(&row["alert"])), |alert, (name, value)| alert.label(name, &text(value)));
    let alert = alert.label("severity", &text(&row["severity"]));
    alert.label("instance", &format!("worker-{node}")).label("pod", &format!("node-exporter-w7bb{node}"))
}

#[tokio::test]
async fn the_alerts_of_ten_nodes_are_ten_incidents_with_the_nodes_names() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let rows = node_alerts()?;
    assert_eq!(rows.len(), ALERTS);
    // One webhook per rule with the alert of each node, all at once, as Alertmanager groups them.
    let sent = rows.iter().map(|row| {
        let body = webhook(&(0..NODES).map(|node| about(row, node)).collect::<Vec<_>>());
        rig.client().clone().alert(rig.envoy().url(), body)
    });
    for response in futures::future::try_join_all(sent).await? {
        assert_eq!(response.status, 207, "{}", response.text());
        assert_eq!(response.json()["summary"]["total"], NODES);
    }
    let mut counts = BTreeMap::new();
    for rr in rig.rrs().await? {
        let target = &rr.spec.target_resource;
        assert_eq!((&*target.kind, target.namespace.as_deref()), ("Node", None));
        let replaced = counts.insert(target.name.clone(), rr.count());
        assert_eq!(replaced, None, "a second RR of {}", target.name);
    }
    let expected = (0..NODES).map(|node| (format!("worker-{node}"), ALERTS as u64));
    assert_eq!(counts, expected.collect());
    Ok(())
}

/// Rules by which the alerts of a queue are incidents of their own.
fn with_queues() -> Value {
    json!({"rules": [{"when": {"job": "mq"}, "kind": "Queue", "name": ["queue"]}]})
}

fn about_queue(queue: &str) -> String {
    let alert = Alert::firing("QueueTooLong").label("job", "mq").label("namespace", "prod").label("queue", queue);
    webhook(&[alert])
}

#[tokio::test]
async fn rules_that_differ_between_filter_and_sidecar_cost_no_signal_and_are_named_in_the_log() -> Result<()> {
    let edit = |config: &mut Value| configure_filter(config, &json!({"targets": with_queues()}));
    let rig = Rig::replicas(1).with_envoy_edited(edit).start().await?;
    for queue in ["a", "b"] {
        let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, about_queue(queue)).await?;
        assert!(response.status.is_success(), "{}", response.text());
    }
    let [rr] = &rig.rrs().await?[..] else { panic!("the sidecar decides: one incident of the service") };
    assert_eq!((&*rr.spec.target_resource.kind, rr.count()), ("Service", 2));
    let mismatches = rig.sidecar(0).scrape().await?.sum("gateway_fingerprint_mismatches_total", &[]);
    assert!((mismatches - 2.0).abs() < 0.5, "{mismatches}");

    let log = fs::read_to_string(rig.dir().join("onceway-0.log"))?;
    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let started = lines.iter().find_map(|line| line["targets"].as_str()).context("the hash at start")?;
    let mismatch = lines.iter().find(|line| line["filter_targets"].is_string()).context("the mismatch")?;
    assert_eq!(mismatch["sidecar_targets"], started);
    assert_ne!(mismatch["filter_targets"], started);
    Ok(())
}

#[tokio::test]
async fn equal_rules_in_filter_and_sidecar_agree() -> Result<()> {
    let edit = |config: &mut Value| configure_filter(config, &json!({"targets": with_queues()}));
    let rig = Rig::replicas(2).with_envoy_edited(edit).config(json!({"targets": with_queues()})).start().await?;
    for queue in ["a", "b"] {
        let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, about_queue(queue)).await?;
        assert_eq!(response.status, 201, "{}", response.text());
    }
    for sidecar in rig.sidecars() {
        assert!(sidecar.scrape().await?.sum("gateway_fingerprint_mismatches_total", &[]) < 0.5);
    }
    Ok(())
}

#[tokio::test]
async fn a_changed_rule_set_rolls_out_without_a_duplicate_of_an_incident_whose_key_stays() -> Result<()> {
    let rig = Rig::replicas(3).with_envoy().with_long_timeouts().start().await?;
    let incidents = Incident::several("prod", 24);
    let mut rounds = 0;
    rig.settled_owners(&rig.envoy().url(), &incidents, &mut rounds, 3).await?;
    let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, about_queue("a")).await?;
    assert_eq!(response.status, 201, "{}", response.text());
    for sidecar in rig.sidecars() {
        sidecar.reconfigure(|config| config["targets"] = with_queues())?;
        sidecar.roll(ROLL_LIMIT).await?;
        rig.envoy().until_healthy(3).await?;
        rig.settled_owners(&rig.envoy().url(), &incidents, &mut rounds, 3).await?;
    }
    for incident in &incidents {
        let rrs = rig.rrs_of(incident).await?;
        assert_eq!((rrs.len(), rrs[0].count()), (1, rounds), "{}", incident.deployment());
    }
    // The key of the queue's alert has changed: a new incident, beside the old one.
    let response = rig.client().signal(&rig.envoy().url(), Source::Prometheus, about_queue("a")).await?;
    assert_eq!(response.status, 201, "{}", response.text());
    Ok(())
}

#[tokio::test]
async fn the_cluster_in_the_path_is_part_of_the_key_and_reaches_the_owner_through_a_split() -> Result<()> {
    let rig = Rig::replicas(2).with_envoy().start().await?;
    let incidents = Incident::several("prod", 3);
    let body = webhook(&incidents.iter().map(|incident| incident.alert(0)).collect::<Vec<_>>());
    for (query, created) in [("", 3), ("?cluster=east-1", 3), ("?cluster=west-2", 3), ("?cluster=east-1", 0)] {
        let url = format!("{}{}{query}", rig.envoy().url(), Source::Prometheus.path());
        let request = http::Request::post(url).header("content-type", "application/json");
        let response = rig.client().send(request, body.clone()).await?;
        assert_eq!(response.status, 207, "{}", response.text());
        assert_eq!(response.json()["summary"]["created"], created, "{query}");
    }
    let rrs = rig.rrs().await?;
    let of = |cluster: Option<&str>| rrs.iter().filter(|rr| rr.spec.cluster_id.as_deref() == cluster).count();
    assert_eq!((of(None), of(Some("east-1")), of(Some("west-2"))), (3, 3, 3));
    for sidecar in rig.sidecars() {
        assert!(sidecar.scrape().await?.sum("gateway_fingerprint_mismatches_total", &[]) < 0.5);
    }
    let twice = format!("{}{}?cluster=a&cluster=b", rig.envoy().url(), Source::Prometheus.path());
    let response =
        rig.client().send(http::Request::post(twice).header("content-type", "application/json"), body).await?;
    assert_eq!(response.status, 400, "{}", response.text());
    Ok(())
}
