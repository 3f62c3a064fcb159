//! The filter's configuration, and the errors of an invalid one.

use onceway_wasm_host::{Host, Request, StartError};
use serde_json::json;

use super::bodies::{ALERTS, payment_api};

fn rejection(config: &str) -> String {
    match Host::start(config, &[]).err().expect("the configuration is wrong") {
        StartError::Rejected(log) => log.into_iter().filter(|line| line.level == 4).map(|line| line.message).collect(),
        StartError::Trapped(trap) => panic!("{config}: {trap}"),
    }
}

#[test]
fn without_a_configuration_the_defaults_apply() {
    for config in ["", "{}", " "] {
        let mut host = Host::new(config);
        assert!(host.request(Request::post(ALERTS).body(payment_api())).fingerprint().is_some(), "{config}");
    }
}

#[test]
fn the_error_of_an_unknown_field_names_it() {
    let error = rejection(r#"{"max_body_byte": 1}"#);
    assert!(error.contains("`max_body_byte`, expected one of `max_body_bytes`"), "{error}");
}

#[test]
fn an_invalid_configuration_is_rejected_with_a_reason() {
    for config in ["{", "[]", "null", "\u{0}", r#"{"max_body_bytes": 0}"#, r#"{"cluster": ""}"#] {
        assert!(!rejection(config).is_empty(), "{config}");
    }
}

#[test]
fn the_error_of_a_limit_out_of_its_bounds_names_it() {
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
            let error = rejection(&json!({limit: value}).to_string());
            assert!(error.starts_with(&format!("{limit} is {value}; set it to 1 or more")), "{error}");
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_rejected() {
    let error = Host::start("{}", &[("proxy_get_buffer_bytes", 10)]).err().expect("there is no configuration");
    assert!(matches!(error, StartError::Rejected(_)), "{error}");
}

#[test]
fn each_decision_has_a_counter_from_the_start() {
    let host = Host::new("");
    let counters: Vec<_> = host.counters().iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let expected = ["fingerprinted", "split", "several", "nothing", "undecodable", "too_large", "shed", "error"];
    let expected = expected.map(|outcome| (format!("onceway_filter_requests_total.outcome.{outcome}"), 0));
    assert_eq!(counters, expected.each_ref().map(|(name, value)| (name.as_str(), *value)));
}

#[test]
fn a_filter_whose_counters_fail_works_without_them() {
    for call in ["proxy_define_metric", "proxy_increment_metric"] {
        let mut host = Host::start("", &[(call, 10)]).unwrap_or_else(|error| panic!("{error}"));
        let result = host.request(Request::post(ALERTS).body(payment_api()));
        assert!(result.fingerprint().is_some() && result.decisions().is_empty(), "{call}");
    }
}
