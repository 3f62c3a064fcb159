//! What the filter makes of its configuration, and says about it.

use onceway_wasm_host::{Host, Request, StartError};
use serde_json::json;

use super::bodies::{ALERTS, payment_api};

fn refusal(config: &str) -> String {
    match Host::start(config, &[]).err().expect("the configuration is wrong") {
        StartError::Refused(log) => log.into_iter().filter(|line| line.level == 4).map(|line| line.message).collect(),
        StartError::Trapped(trap) => panic!("{config}: {trap}"),
    }
}

#[test]
fn without_a_configuration_the_defaults_hold() {
    for config in ["", "{}", " "] {
        let mut host = Host::new(config);
        assert!(host.request(Request::post(ALERTS).body(payment_api())).fingerprint().is_some(), "{config}");
    }
}

#[test]
fn an_unknown_field_is_refused_by_its_name() {
    let refusal = refusal(r#"{"max_body_byte": 1}"#);
    assert!(refusal.contains("`max_body_byte`, expected one of `max_body_bytes`"), "{refusal}");
}

#[test]
fn a_wrong_configuration_is_refused_with_a_reason() {
    for config in ["{", "[]", "null", "\u{0}", r#"{"max_body_bytes": 0}"#, r#"{"cluster": ""}"#] {
        assert!(!refusal(config).is_empty(), "{config}");
    }
}

#[test]
fn a_limit_out_of_its_bounds_is_refused_by_its_name() {
    let limits = [
        "max_body_bytes",
        "max_alerts",
        "max_fingerprints",
        "max_split_bytes",
        "max_answer_bytes",
        "max_subrequests_in_flight",
        "split_timeout_ms",
    ];
    for limit in limits {
        for value in [0, u32::MAX] {
            let refusal = refusal(&json!({limit: value}).to_string());
            assert!(refusal.starts_with(&format!("{limit} is {value}; set it to 1 or more")), "{refusal}");
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_refused() {
    let refused = Host::start("{}", &[("proxy_get_buffer_bytes", 10)]).err().expect("there is no configuration");
    assert!(matches!(refused, StartError::Refused(_)), "{refused}");
}

#[test]
fn there_is_one_counter_for_each_outcome_from_the_start() {
    let host = Host::new("");
    let counters: Vec<_> = host.counters().iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let expected = ["fingerprinted", "split", "several", "nothing", "undecodable", "too_large", "error"];
    let expected = expected.map(|outcome| (format!("onceway_filter_requests_total.outcome.{outcome}"), 0));
    assert_eq!(counters, expected.each_ref().map(|(name, value)| (name.as_str(), *value)));
}

#[test]
fn a_filter_that_cannot_count_works_all_the_same() {
    for call in ["proxy_define_metric", "proxy_increment_metric"] {
        let mut host = Host::start("", &[(call, 10)]).unwrap_or_else(|error| panic!("{error}"));
        let answer = host.request(Request::post(ALERTS).body(payment_api()));
        assert!(answer.fingerprint().is_some() && answer.outcomes().is_empty(), "{call}");
    }
}
