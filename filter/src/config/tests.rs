use super::{Config, DEFAULT_MAX_BODY_BYTES};

fn refusal(json: &str) -> String {
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
fn the_defaults_are_usable_themselves() {
    for (field, value, usable) in Config::default().ranges() {
        assert!(usable.contains(&value), "{field}");
    }
}

#[test]
fn every_field_can_be_set() {
    let json = br#"{"max_body_bytes": 1, "max_alerts": 2, "max_fingerprints": 3, "max_split_bytes": 4,
        "max_answer_bytes": 5, "max_subrequests_in_flight": 6, "split_timeout_ms": 7, "cluster": "c"}"#;
    let expected = Config {
        max_body_bytes: 1,
        max_alerts: 2,
        max_fingerprints: 3,
        max_split_bytes: 4,
        max_answer_bytes: 5,
        max_subrequests_in_flight: 6,
        split_timeout_ms: 7,
        cluster: "c".to_owned(),
    };
    assert_eq!(Config::from_json(json).unwrap(), expected);
}

#[test]
fn an_unknown_field_is_refused_by_its_name() {
    let refusal = refusal(r#"{"max_body_byte": 1}"#);
    assert!(refusal.contains("`max_body_byte`") && refusal.contains("`max_body_bytes`"), "{refusal}");
}

#[test]
fn a_limit_of_the_wrong_type_or_size_is_refused() {
    assert!(refusal(r#"{"max_body_bytes": "1"}"#).contains("line 1 column 22"));
    assert!(refusal(r#"{"max_body_bytes": -1}"#).contains("-1"));
    assert!(refusal(r#"{"max_body_bytes": 67108865}"#).contains("max_body_bytes is 67108865; "));
    assert!(refusal(r#"{"max_body_bytes": 67108865}"#).contains("67108864 at most"));
    assert!(refusal(r#"{"cluster": ""}"#).contains("cluster is empty"));
}

#[test]
fn each_limit_is_refused_by_its_name_where_it_is_out_of_its_bounds() {
    for (field, _, usable) in Config::default().ranges() {
        for value in [0, usable.end() + 1] {
            let refusal = refusal(&format!("{{\"{field}\": {value}}}"));
            assert!(refusal.starts_with(&format!("{field} is {value}; set it to 1 or more")), "{refusal}");
        }
        for value in [1, *usable.end()] {
            assert!(Config::from_json(format!("{{\"{field}\": {value}}}").as_bytes()).is_ok(), "{field}");
        }
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for json in ["null", "5242880", "[]", "[1]", "\u{0}"] {
        assert!(refusal(json).contains(r#"no JSON object; write {"max_body_bytes": 5242880}"#), "{json}");
    }
    assert!(refusal("{").contains("line 1 column 1"));
}
