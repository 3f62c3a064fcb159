use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source, decode};
use serde_json::{Value, json};

use super::Policy;
use crate::config::{Events, Freshness};

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

/// The label of the rejection of a signal with this date; "accepted" without one.
fn of_date(source: Source, date: Value, max_age: Duration) -> &'static str {
    let body = match source {
        Source::Prometheus => json!({"alerts": [{"labels": {"alertname": "A", "node": "n"}, "startsAt": date}]}),
        Source::KubernetesEvent => {
            json!({"reason": "R", "involvedObject": {"kind": "Node", "name": "n"}, "lastTimestamp": date})
        }
    };
    let body = body.to_string();
    let policy = Policy::new(Arc::default(), Events { max_age, ..Events::default() }, Freshness::default());
    let payload = decode(&policy.rules, Origin::of(source), body.as_bytes()).unwrap();
    let signal = payload.entries()[0].signal.as_ref().unwrap();
    policy.check_date(source, signal, now()).map_or_else(|rejection| rejection.label(), |()| "accepted")
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn an_event_is_accepted_up_to_its_greatest_age() {
    let of = |date: &str, max_age| of_date(Source::KubernetesEvent, json!(date), max_age);
    assert_eq!(of("2026-11-25T11:00:00Z", HOUR), "accepted");
    assert_eq!(of("2026-11-25T10:59:59Z", HOUR), "too_old");
    assert_eq!(of("2026-11-25T10:59:59Z", HOUR * 2), "accepted");
    assert_eq!(of("1970-01-01T00:00:00Z", Duration::ZERO), "accepted", "0s: any age");
    assert_eq!(of("2026-11-25T12:05:01Z", Duration::ZERO), "ahead");
}

#[test]
fn an_alert_may_have_fired_for_any_time() {
    for date in ["2026-11-25T10:59:59Z", "2019-01-01T00:00:00Z", "-009999-01-02T01:59:59Z"] {
        assert_eq!(of_date(Source::Prometheus, json!(date), HOUR), "accepted", "{date}");
    }
}

#[test]
fn no_signal_is_accepted_that_is_dated_more_than_five_minutes_ahead() {
    for source in Source::ALL {
        for date in ["2026-11-25T12:05:00Z", "2026-11-25T13:04:59+01:00"] {
            assert_eq!(of_date(source, json!(date), HOUR), "accepted", "{date}");
        }
        for date in ["2026-11-25T12:05:00.001Z", "2026-11-25T12:05:01Z", "9999-12-30T22:00:00Z"] {
            assert_eq!(of_date(source, json!(date), HOUR), "ahead", "{date}");
        }
    }
}

#[test]
fn a_date_that_is_missing_or_unreadable_is_no_reason_to_reject() {
    for source in Source::ALL {
        for date in [json!(null), json!(""), json!("yesterday"), json!("0001-01-01T00:00:00Z"), json!("2026-11-25")] {
            assert_eq!(of_date(source, date.clone(), HOUR), "accepted", "{date}");
        }
    }
}

#[test]
fn a_rejection_says_what_happened_and_what_to_do() {
    let rules: Rules = serde_json::from_value(json!({"denyNamespaces": ["kube-*"]})).unwrap();
    let policy = Policy::new(Arc::new(rules), Events::default(), Freshness::default());
    let body = json!({"alerts": [{"labels": {"alertname": "A", "namespace": "kube-system", "deployment": "coredns"},
        "startsAt": "2026-11-25T13:00:00Z"}]})
    .to_string();
    let payload = decode(&policy.rules, Origin::of(Source::Prometheus), body.as_bytes()).unwrap();
    let signal = payload.entries()[0].signal.as_ref().unwrap();
    assert_eq!(
        policy.check_scope(signal).unwrap_err().to_string(),
        "signals about the namespace \"kube-system\" are not accepted here; stop sending them"
    );
    assert_eq!(
        policy.check_date(Source::Prometheus, signal, now()).unwrap_err().to_string(),
        "the signal is dated 2026-11-25T13:00:00Z, more than 300s ahead; set the sender's clock"
    );
}
