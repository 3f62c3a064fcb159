//! Real alerts and events: what they look like when they arrive, and what they are about. The data is described in
//! `signal/tests/field/README.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use onceway_signal::rules::Rules;
use onceway_signal::{Entry, Origin, Source, State};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{identity, webhook_of};

/// The share of each table that must get a right target, in percent.
const BAR: usize = 98;
/// What stands for a body that is no incident.
const NONE: &str = "none";

/// An alert of a table.
#[derive(Deserialize)]
struct Row {
    alert: String,
    severity: String,
    labels: BTreeMap<String, String>,
    /// What is accepted; empty: no incident.
    targets: Vec<String>,
}

/// One or more bodies of one sender.
#[derive(Deserialize)]
struct Case {
    name: String,
    source: String,
    bodies: Vec<String>,
    /// For each body what is accepted; null: not judged.
    targets: Vec<Option<Vec<String>>>,
    relation: Option<String>,
    /// The labels cannot tell.
    limit: bool,
}

fn read<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(name);
    let text = fs::read_to_string(path).expect("the data of the field");
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

/// The targets of a body's firing signals, which are all one.
fn incident(source: Source, body: &str) -> Result<Option<String>, String> {
    let payload = onceway_signal::decode(Rules::built_in(), Origin::of(source), body.as_bytes());
    let payload = payload.map_err(|error| error.to_string())?;
    let mut found = None;
    for Entry { signal, .. } in payload.entries() {
        let signal = signal.as_ref().map_err(|rejection| rejection.to_string())?;
        if signal.state == State::Firing {
            found = Some(identity(signal));
        }
    }
    Ok(found)
}

/// How many alerts of a table get a right target, and the others.
fn judge(table: &str) -> (usize, usize, Vec<String>) {
    let rows: Vec<Row> = read(table);
    let mut wrong = Vec::new();
    for row in &rows {
        let mut labels: Value = json!(row.labels);
        labels["alertname"] = json!(row.alert);
        labels["severity"] = json!(row.severity);
        let found = incident(Source::Prometheus, &webhook_of(labels)).expect("a usable alert");
        let right = found.as_ref().map_or(row.targets.is_empty(), |target| row.targets.contains(target));
        if !right {
            wrong.push(format!("{}: {found:?} instead of {:?}", row.alert, row.targets));
        }
    }
    (rows.len() - wrong.len(), rows.len(), wrong)
}

/// Whether a target is what is accepted; that names a cluster only where the cluster is what the case is about.
fn is_target(target: &str, accepted: &str) -> bool {
    let without_cluster = |target: &str| target.split_once(':').map(|(_, target)| target.to_owned());
    let has_cluster = target.matches(':').count() > 2;
    target == accepted
        || has_cluster && accepted.matches(':').count() == 2 && without_cluster(target).as_deref() == Some(accepted)
}

#[test]
fn nearly_every_alert_of_kube_prometheus_gets_the_right_target() {
    for table in ["rules-kube-prometheus.jsonl", "rules-kube-prometheus-stack.jsonl"] {
        let (right, total, wrong) = judge(table);
        println!("{table}: {right}/{total}");
        assert!(total >= 147 && right * 100 >= total * BAR, "{table}: {right}/{total}\n{}", wrong.join("\n"));
    }
}

#[test]
fn every_case_that_labels_can_decide_gets_the_right_target() {
    let cases: Vec<Case> = read("cases.jsonl");
    let (mut judged, mut wrong) = (0, Vec::new());
    for case in cases.iter().filter(|case| !case.limit) {
        judged += 1;
        let source = if case.source == "event" { Source::KubernetesEvent } else { Source::Prometheus };
        let found: Vec<_> = case.bodies.iter().map(|body| incident(source, body)).collect();
        let accepted = found.iter().zip(&case.targets).all(|(found, targets)| {
            let Some(targets) = targets else { return true };
            let target = found.as_ref().map(|target| target.clone().unwrap_or_else(|| NONE.to_owned()));
            target.is_ok_and(|target| targets.iter().any(|accepted| is_target(&target, accepted)))
        });
        let all_same = found.iter().all(|target| *target == found[0]);
        let differ = (1..found.len()).all(|n| !found[..n].contains(&found[n]));
        let related = match case.relation.as_deref() {
            Some("differ") => differ,
            Some("same") => all_same,
            _ => true,
        };
        if !(accepted && related) {
            wrong.push(format!("{}: {found:?} instead of {:?} {:?}", case.name, case.targets, case.relation));
        }
    }
    println!("cases: {}/{judged}", judged - wrong.len());
    assert!(judged >= 48 && wrong.is_empty(), "{} of {judged} are wrong\n{}", wrong.len(), wrong.join("\n"));
}
