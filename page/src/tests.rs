use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{MAX_RULES_BYTES, MAX_SIGNALS_BYTES, answer};

fn ask(request: &Value) -> Value {
    serde_json::from_slice(&answer(request.to_string().as_bytes()).unwrap()).unwrap()
}

fn explain(signals: &str, rules: &str) -> Value {
    ask(&json!({"ask": "explain", "signals": signals, "rules": rules, "now": 1_772_359_200_000_i64}))
}

const ALERTS: &str =
    r#"{"alerts":[{"labels":{"alertname":"QueueTooLong","job":"mq","queue":"orders","namespace":"prod"}}]}"#;
const RULES: &str = "targets:\n  rules:\n    - when: { job: mq }\n      kind: Queue\n      name: [queue]\n";

#[test]
fn alerts_are_explained_by_the_given_rules_with_the_incidents_that_they_are() {
    let built_in = explain(ALERTS, "");
    assert_eq!(built_in["alerts"][0]["rule"], "job-as-service");
    let own = explain(ALERTS, RULES);
    assert_eq!((&own["alerts"][0]["rule"], &own["incidents"][0]["kind"]), (&json!("rules[0]"), &json!("Queue")));
    assert_eq!(own["incidents"][0]["alerts"], json!([0]));
    assert_eq!(own["problems"], json!({"signals": null, "rules": null}));
    assert_ne!(own["hash"], built_in["hash"]);
}

#[test]
fn what_is_wrong_is_said_of_each_field_at_once_and_nothing_is_explained_by_other_rules() {
    let both = explain("no JSON", &RULES.replace("name:", "names:"));
    assert!(both["problems"]["signals"].as_str().unwrap().contains("malformed JSON"), "{both}");
    assert!(both["problems"]["rules"].as_str().unwrap().contains("names"), "{both}");
    let rules = explain(ALERTS, "targets: 3");
    assert_eq!((&rules["problems"]["signals"], &rules["alerts"]), (&Value::Null, &json!([])));
    assert!(explain(" \n", "")["problems"]["signals"].as_str().unwrap().contains("paste"));
}

#[test]
fn a_text_beyond_its_limit_is_refused_with_the_limit() {
    let signals = explain(&" ".repeat(MAX_SIGNALS_BYTES + 1).replacen(' ', "x", 1), "");
    assert!(signals["problems"]["signals"].as_str().unwrap().contains("1048577 bytes; this page takes 1048576"));
    let rules = explain(ALERTS, &format!("#{}", " ".repeat(MAX_RULES_BYTES)));
    assert!(rules["problems"]["rules"].as_str().unwrap().contains("262145 bytes"), "{rules}");
    assert_eq!(explain(ALERTS, &format!("#{}", " ".repeat(MAX_RULES_BYTES - 1)))["problems"]["rules"], Value::Null);
}

#[test]
fn the_built_in_rules_are_listed_in_their_order() {
    let rules = ask(&json!({"ask": "built-in-rules"}));
    let names: Vec<&str> = rules.as_array().unwrap().iter().map(|rule| rule["rule"].as_str().unwrap()).collect();
    assert_eq!((names.first(), names.last()), (Some(&"node-exporter"), Some(&"cluster")));
}

#[test]
fn another_request_is_an_error() {
    assert!(answer(b"{}").is_err() && answer(br#"{"ask":"explain"}"#).is_err());
}

#[test]
fn every_example_is_explained_and_shows_an_incident_of_several_alerts_or_of_an_event() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension() != Some("json".as_ref()) {
            continue;
        }
        let rules = fs::read_to_string(path.with_extension("yaml")).unwrap_or_default();
        let explained = explain(&fs::read_to_string(&path).unwrap(), &rules);
        assert_eq!(explained["problems"], json!({"signals": null, "rules": null}), "{}", path.display());
        let incidents = explained["incidents"].as_array().unwrap();
        let several = incidents.iter().any(|incident| incident["alerts"].as_array().unwrap().len() > 1);
        assert!(several || explained["alerts"].as_array().unwrap().len() == 1, "{}", path.display());
        examples += 1;
    }
    assert!(examples >= 3);
}
