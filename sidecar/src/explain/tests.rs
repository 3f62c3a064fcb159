use std::fs;

use clap::Parser;
use onceway_signal::rules::Rules;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::ExplainArgs;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    explain: ExplainArgs,
}

/// The output for inputs with these texts.
fn explain(arguments: &[&str], inputs: &[String]) -> Result<String, String> {
    let dir = TempDir::new().unwrap();
    let mut command: Vec<String> = ["explain"].iter().chain(arguments).map(|text| (*text).to_owned()).collect();
    for (index, text) in inputs.iter().enumerate() {
        let file = dir.path().join(format!("{index}.json"));
        fs::write(&file, text).unwrap();
        command.push(file.display().to_string());
    }
    let mut out = Vec::new();
    let cli = Cli::try_parse_from(command).unwrap();
    cli.explain.run(Rules::built_in(), &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn lines(arguments: &[&str], inputs: &[String]) -> Vec<Value> {
    let arguments = [&["--json"], arguments].concat();
    explain(&arguments, inputs).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn webhook() -> String {
    json!({"alerts": [
        {"status": "firing", "labels": {"alertname": "PodNotReady", "namespace": "prod", "pod": "web-7d4b8c9f5d-x2k4z",
            "cluster": "east-1"}},
        {"status": "firing", "labels": {"alertname": "Watchdog", "severity": "none"}},
        {"status": "resolved", "labels": {"alertname": "NodeDown", "node": "n"}},
        {"status": "firing", "labels": {"severity": "critical"}},
        {"status": "firing", "labels": {"alertname": "Replicas", "namespace": "prod", "deployment": "web", "cluster": "east-1"}},
    ]})
    .to_string()
}

fn event() -> String {
    json!({"kind": "Event", "involvedObject": {"kind": "Pod", "namespace": "prod", "name": "web-7d4b8c9f5d-x2k4z"},
        "reason": "BackOff", "type": "Warning", "clusterName": "east-1"})
    .to_string()
}

#[test]
fn each_alert_of_a_webhook_is_one_line_of_json() {
    let lines = lines(&[], &[webhook()]);
    let states: Vec<&Value> = lines.iter().map(|line| &line["state"]).collect();
    assert_eq!(states, ["firing", "ignored", "resolved", "rejected", "firing"]);
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["alert", "cluster", "fingerprint", "name", "reason", "rule", "state", "target"]);
    assert_eq!(lines[0]["target"], "prod:Deployment:web");
    assert_eq!((&lines[0]["cluster"], &lines[0]["rule"]), (&json!("east-1"), &json!("pod")));
    assert_eq!(lines[4]["fingerprint"], lines[0]["fingerprint"], "one incident");
    assert_eq!((&lines[3]["target"], &lines[3]["fingerprint"]), (&Value::Null, &Value::Null));
    assert!(lines[3]["reason"].as_str().unwrap().contains("labels.alertname"));
}

#[test]
fn an_event_is_recognised_and_meets_the_alerts_about_its_object() {
    let lines = lines(&[], &[webhook(), event()]);
    assert_eq!((&lines[5]["alert"], &lines[5]["name"]), (&json!(5), &json!("BackOff")));
    assert_eq!(lines[5]["fingerprint"], lines[0]["fingerprint"]);
}

#[test]
fn the_list_of_amtool_is_read_and_what_alertmanager_suppresses_is_no_incident() {
    let alert = |name: &str, state: &str, ends: &str| {
        json!({"annotations": {}, "endsAt": ends, "fingerprint": "0", "receivers": [{"name": "onceway"}],
            "startsAt": "2026-03-01T10:00:00.000Z", "updatedAt": "2026-03-01T10:00:00.000Z", "generatorURL": "",
            "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": state},
            "labels": {"alertname": name, "namespace": "prod", "deployment": "web"}})
    };
    let future = "2999-01-01T00:00:00.000Z";
    let list = json!([
        alert("A", "active", future),
        alert("B", "suppressed", future),
        alert("C", "active", "2026-03-01T11:00:00.000Z"),
    ]);
    let states: Vec<Value> = lines(&[], &[list.to_string()]).into_iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["firing", "ignored", "resolved"]);
}

#[test]
fn the_table_shows_each_incident_with_its_alerts() {
    let table = explain(&[], &[webhook()]).unwrap();
    let expected = [
        "east-1:prod:Deployment:web  fingerprint ",
        "     0  PodNotReady                                   rule pod",
        "     4  Replicas                                      rule deployment",
        "no incident",
        "     1  Watchdog                                      ignored: the target rules ignore it",
        "     2  NodeDown                                      resolved: the alert is resolved",
        "     3                                                rejected: `labels.alertname` is missing or empty; set it",
        "5 alerts -> 1 incident",
    ];
    assert_eq!(table.lines().count(), expected.len(), "{table}");
    for (line, expected) in table.lines().zip(expected) {
        assert!(line.starts_with(expected), "{line:?} instead of {expected:?}");
    }
}

#[test]
fn an_alert_out_of_scope_is_rejected_with_its_target() {
    let rules: Rules = serde_json::from_value(json!({"clusters": ["west-1"], "denyNamespaces": ["prod"]})).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    let alerts = json!({"alerts": [
        {"labels": {"alertname": "A", "namespace": "prod", "deployment": "web"}},
        {"labels": {"alertname": "A", "namespace": "dev", "deployment": "web", "cluster": "east-1"}},
        {"labels": {"alertname": "A", "namespace": "dev", "deployment": "web", "cluster": "west-1"}},
        {"labels": {"alertname": "A", "namespace": "prod", "deployment": "web"}, "status": "resolved"},
    ]});
    fs::write(file.path(), alerts.to_string()).unwrap();
    let mut out = Vec::new();
    let cli = Cli::parse_from(["explain", "--json", file.path().to_str().unwrap()]);
    cli.explain.run(&rules, &mut out).unwrap();
    let lines: Vec<Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<&Value> = lines.iter().map(|line| &line["state"]).collect();
    assert_eq!(states, ["rejected", "rejected", "firing", "resolved"]);
    assert_eq!(lines[0]["target"], "prod:Deployment:web");
    assert!(lines[1]["reason"].as_str().unwrap().contains("the cluster \"east-1\""), "{lines:?}");
}

#[test]
fn control_characters_of_a_sender_do_not_reach_the_terminal() {
    let hostile = json!({"alerts": [{"labels": {"alertname": "\u{1b}[2J", "deployment": "d"}}]}).to_string();
    assert!(!explain(&[], &[hostile]).unwrap().contains('\u{1b}'));
}

#[test]
fn an_input_that_cannot_be_read_is_an_error_that_names_it_and_nothing_is_written() {
    for (source, text, problem) in [
        (None, "no JSON", "malformed JSON"),
        (None, r#"{"type":"ADDED","object":{}}"#, "a frame of a Kubernetes watch"),
        (None, "[1]", "amtool"),
        (Some("kubernetes-event"), r#"{"alerts":[]}"#, "an Alertmanager webhook"),
        (Some("kubernetes-event"), "[]", "not a Kubernetes Event"),
    ] {
        let arguments: Vec<&str> = source.map(|source| ["--source", source]).into_iter().flatten().collect();
        let error = explain(&arguments, &[webhook(), text.to_owned()][usize::from(source.is_some())..]).unwrap_err();
        assert!(error.contains(".json: ") && error.contains(problem), "{error}");
    }
    let cli = Cli::parse_from(["explain", "/nowhere/webhook.json"]);
    let error = cli.explain.run(Rules::built_in(), &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("cannot read /nowhere/webhook.json"), "{error}");
}
