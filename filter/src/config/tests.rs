use onceway_signal::problem::ProblemTypes;
use onceway_signal::rules::Rules;

use super::{Config, DEFAULT_MAX_BODY_BYTES};

fn error(json: &str) -> String {
    Config::from_json(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn no_configuration_means_the_defaults() {
    for json in ["", " \n", "{}"] {
        assert_eq!(Config::from_json(json.as_bytes()).unwrap(), Config::default());
    }
    assert_eq!(Config::default().max_body_bytes, DEFAULT_MAX_BODY_BYTES);
}

#[test]
fn the_defaults_are_within_their_bounds() {
    for (field, value, bounds) in Config::default().ranges() {
        assert!(bounds.contains(&value), "{field}");
    }
}

#[test]
fn every_field_can_be_set() {
    let json = br#"{"max_body_bytes": 1, "max_alerts": 2, "max_fingerprints": 3, "max_split_bytes": 4,
        "max_answer_bytes": 5, "max_subrequests_in_flight": 6, "split_timeout_ms": 7, "max_buffered_bytes": 8, "cluster": "c",
        "targets": {"ignore": [{"severity": "info"}], "clusters": ["a"], "denyNamespaces": ["b"], "resolve": "derive",
        "missing": "reject", "localClusters": ["a"]}, "problem_types": "kubernaut"}"#;
    let expected = Config {
        max_body_bytes: 1,
        max_buffered_bytes: 8,
        max_alerts: 2,
        max_fingerprints: 3,
        max_split_bytes: 4,
        max_answer_bytes: 5,
        max_subrequests_in_flight: 6,
        split_timeout_ms: 7,
        cluster: Some("c".to_owned()),
        // The sidecar's own keys are read, so that one document serves both.
        targets: serde_json::from_str::<Rules>(
            r#"{"ignore": [{"severity": "info"}], "clusters": ["a"], "denyNamespaces": ["b"], "resolve": "derive",
                "missing": "reject", "localClusters": ["a"]}"#,
        )
        .unwrap(),
        problem_types: ProblemTypes::Kubernaut,
    };
    assert_ne!(expected.targets, Rules::default());
    assert_eq!(Config::from_json(json).unwrap(), expected);
}

#[test]
fn the_error_of_an_unknown_field_names_it() {
    let error = error(r#"{"max_body_byte": 1}"#);
    assert!(error.contains("`max_body_byte`") && error.contains("`max_body_bytes`"), "{error}");
}

#[test]
fn a_value_of_the_wrong_type_or_size_is_rejected() {
    assert!(error(r#"{"max_body_bytes": "1"}"#).contains("line 1 column 22"));
    assert!(error(r#"{"max_body_bytes": -1}"#).contains("-1"));
    assert!(error(r#"{"max_body_bytes": 67108865}"#).contains("max_body_bytes is 67108865; "));
    assert!(error(r#"{"max_body_bytes": 67108865}"#).contains("at most 67108864"));
    assert!(error(r#"{"cluster": ""}"#).contains("cluster is empty"));
}

#[test]
fn an_error_in_the_target_rules_names_the_rule_and_its_line() {
    let error = error("{\"targets\": {\"rules\": [\n {\"kind\": \"Db\", \"names\": [\"db\"]}]}}");
    assert!(error.contains("unknown field `names`") && error.contains("line 2"), "{error}");
    let error = self::error(r#"{"targets": {"rules": [{"kind": "Db", "name": ["db"], "when": {"job": "a*b"}}]}}"#);
    assert!(error.contains("targets.rules[0].when.job has a `*` inside"), "{error}");
}

#[test]
fn the_error_of_a_limit_out_of_its_bounds_names_it() {
    for (field, _, bounds) in Config::default().ranges() {
        for value in [0, bounds.end() + 1] {
            let error = error(&format!("{{\"{field}\": {value}}}"));
            assert!(error.starts_with(&format!("{field} is {value}; set it to 1 or more")), "{error}");
        }
        for value in [1, *bounds.end()] {
            assert!(Config::from_json(format!("{{\"{field}\": {value}}}").as_bytes()).is_ok(), "{field}");
        }
    }
}

#[test]
fn what_is_not_an_object_is_rejected() {
    for json in ["null", "5242880", "[]", "[1]", "\u{0}"] {
        assert!(error(json).contains(r#"not a JSON object; write {"max_body_bytes": 5242880}"#), "{json}");
    }
    assert!(error("{").contains("line 1 column 1"));
}
