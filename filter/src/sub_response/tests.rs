use onceway_signal::problem::ProblemKind;
use onceway_signal::response::Status;

use super::{SubResponseHead, outcomes};
use crate::header_map::serialize;

fn head(headers: &[(&str, &str)]) -> Option<SubResponseHead> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    SubResponseHead::parse(&serialize(&headers))
}

fn outcome_of(status: u16, body: &str) -> (Status, Option<ProblemKind>, String) {
    let outcomes = outcomes(SubResponseHead { status, retry_after_s: None }, body.as_bytes(), |_| {});
    let [outcome] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    (outcome.status, outcome.failure.map(|failure| failure.problem), outcome.message.clone())
}

#[test]
fn the_head_is_the_status_and_retry_after() {
    let expected = SubResponseHead { status: 503, retry_after_s: Some(7) };
    assert_eq!(head(&[(":status", "503"), ("retry-after", "7"), ("server", "envoy")]), Some(expected));
    // A date, which no sidecar sends.
    let date = head(&[(":status", "503"), ("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")]).unwrap();
    assert_eq!(date.retry_after_s, None);
    for wrong in [&[][..], &[(":status", "")], &[(":status", "abc")], &[(":status", "99999")]] {
        assert_eq!(head(wrong), None, "{wrong:?}");
    }
    assert_eq!(SubResponseHead::parse(&[0xff; 9]), None);
}

#[test]
fn a_5xx_of_the_proxy_is_to_be_retried() {
    for status in [503, 504, 500, 502] {
        let (outcome, kind, message) = outcome_of(status, "upstream request timeout");
        assert_eq!((outcome, kind), (Status::Failed, Some(ProblemKind::OutcomeUnknown)));
        assert_eq!(message, format!("no usable response of a replica: {status}; retry"));
    }
}

#[test]
fn a_2xx_that_no_sidecar_wrote_is_not_an_acknowledgement() {
    for (status, body) in
        [(200, ""), (201, "{}"), (202, "OK"), (204, ""), (207, r#"{"results":[]}"#), (302, ""), (0, "")]
    {
        assert_eq!(outcome_of(status, body).0, Status::Failed, "{status} {body}");
    }
    let none = r#"{"results":[],"summary":{"total":0,"created":0,"deduplicated":0,"rejected":0,"failed":0}}"#;
    assert_eq!(outcome_of(207, none).0, Status::Failed, "no outcome, though a partition was sent");
}

#[test]
fn a_status_that_contradicts_its_outcome_is_not_an_acknowledgement() {
    let created = r#"{"status":"created","message":"m","fingerprint":"f","duplicate":false}"#;
    assert_eq!(outcome_of(201, created).0, Status::Created);
    assert_eq!(outcome_of(202, created).0, Status::Failed);
}

#[test]
fn a_4xx_that_no_sidecar_wrote_is_permanent_unless_it_asks_for_a_retry() {
    for status in [400, 401, 403, 404, 413] {
        let (outcome, _, message) = outcome_of(status, "<html>");
        assert_eq!(outcome, Status::Rejected);
        assert!(message.contains(&status.to_string()) && !message.contains("<html>"), "{message}");
    }
    for status in [408, 425, 429] {
        assert_eq!(outcome_of(status, "").0, Status::Failed);
    }
}

#[test]
fn a_sidecars_problem_keeps_its_detail_and_kind() {
    let problem = |uri: &str| format!(r#"{{"type":"{uri}","title":"t","status":503,"detail":"why"}}"#);
    let (outcome, kind, message) = outcome_of(503, &problem("https://onceway.io/problems/draining"));
    assert_eq!((outcome, kind, message.as_str()), (Status::Failed, Some(ProblemKind::Draining), "why"));
    // From a sidecar newer than the filter.
    let (outcome, kind, message) = outcome_of(503, &problem("https://onceway.io/problems/unheard-of"));
    assert_eq!((outcome, kind, message.as_str()), (Status::Failed, Some(ProblemKind::OutcomeUnknown), "why"));
    let (outcome, _, message) = outcome_of(400, &problem("https://onceway.io/problems/malformed-payload"));
    assert_eq!((outcome, message.as_str()), (Status::Rejected, "why"));
}

#[test]
fn a_proxys_body_is_for_the_log_and_truncated_there() {
    let secret = "TLS error: certificate of 10.3.0.17";
    let mut logged = String::new();
    let head = SubResponseHead { status: 503, retry_after_s: None };
    let outcomes = outcomes(head, secret.repeat(10_000).as_bytes(), |text| logged = text.to_owned());
    assert!(logged.contains(secret) && logged.chars().count() < 400, "{logged}");
    assert!(!outcomes[0].message.contains("10.3.0.17"), "{outcomes:?}");
}
