use serde_json::{Value, json, to_value};

use super::{Failure, Metadata, SignalOutcome, SignalResponse, Status, TargetRejection, merge, read};
use crate::problem::{Problem, ProblemKind, ProblemTypes};

fn counted(created: bool, fingerprint: &str) -> SignalOutcome {
    let metadata = Metadata {
        fingerprint: fingerprint.into(),
        count: 3,
        remediation_request_ref: format!("incidents/rr-{fingerprint}"),
        first_occurrence: "2026-03-01T10:00:00Z".into(),
        last_occurrence: "2026-03-01T10:05:00Z".into(),
    };
    SignalOutcome::counted(created, "incidents".into(), format!("rr-{fingerprint}"), metadata)
}

fn resolved(fingerprint: &str) -> SignalOutcome {
    SignalOutcome::nothing_to_do(Some(fingerprint.into()), "the alert is resolved")
}

fn rejected(index: usize) -> SignalOutcome {
    SignalOutcome::rejected_at(index, "no name")
}

fn failed(fingerprint: &str, problem: ProblemKind, retry_after_seconds: u32) -> SignalOutcome {
    SignalOutcome::failed(fingerprint.into(), format!("{fingerprint} failed"), Failure { problem, retry_after_seconds })
}

/// The status and the body of the response to `outcomes`.
fn merged(outcomes: Vec<SignalOutcome>) -> (u16, Value) {
    match merge(outcomes) {
        SignalResponse::One(status, outcome) => (status, to_value(outcome).unwrap()),
        SignalResponse::MultiStatus(multi_status) => (207, to_value(multi_status).unwrap()),
        SignalResponse::Problem(problem) => (problem.status, to_value(&problem).unwrap()),
    }
}

fn retry_after(outcomes: Vec<SignalOutcome>) -> Option<u32> {
    match merge(outcomes) {
        SignalResponse::Problem(problem) => problem.retry_after_s,
        _ => None,
    }
}

#[test]
fn a_new_incident_is_answered_201_with_the_metadata_of_its_rr() {
    let (status, body) = merged(vec![counted(true, "aa")]);
    assert_eq!(status, 201);
    let expected = json!({
        "status": "created",
        "message": "a RemediationRequest was created",
        "fingerprint": "aa",
        "duplicate": false,
        "remediationRequestName": "rr-aa",
        "remediationRequestNamespace": "incidents",
        "metadata": {
            "fingerprint": "aa",
            "count": 3,
            "remediationRequestRef": "incidents/rr-aa",
            "firstOccurrence": "2026-03-01T10:00:00Z",
            "lastOccurrence": "2026-03-01T10:05:00Z",
        },
    });
    assert_eq!(body, expected);
}

#[test]
fn a_duplicate_is_answered_202() {
    let (status, body) = merged(vec![counted(false, "aa")]);
    assert_eq!((status, &body["status"], &body["duplicate"]), (202, &json!("duplicate"), &json!(true)));
}

#[test]
fn nothing_to_do_is_answered_200() {
    let (status, body) = merged(vec![resolved("aa")]);
    assert_eq!(status, 200);
    let message = "nothing to do: the alert is resolved";
    assert_eq!(body, json!({"status": "resolved", "message": message, "fingerprint": "aa", "duplicate": false}));
    assert_eq!(merged(vec![]).0, 200);
}

#[test]
fn several_outcomes_are_answered_207_in_their_order() {
    let (status, body) = merged(vec![resolved("aa"), rejected(1), counted(true, "bb"), counted(false, "cc")]);
    assert_eq!(status, 207);
    let statuses: Vec<&Value> = body["results"].as_array().unwrap().iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["resolved", "rejected", "created", "duplicate"]);
    let summary = json!({"total": 4, "created": 1, "deduplicated": 1, "rejected": 1, "failed": 0});
    assert_eq!(body["summary"], summary);
    assert_eq!(body["results"][1]["message"], "alerts[1]: no name");
    assert_eq!(merged(vec![resolved("aa"), resolved("bb")]).0, 207);
}

#[test]
fn one_failed_outcome_makes_the_whole_response_503() {
    let (status, body) = merged(vec![counted(true, "aa"), failed("bb", ProblemKind::Overloaded, 1), rejected(2)]);
    assert_eq!(status, 503);
    assert_eq!(body["type"], "https://onceway.io/problems/overloaded");
    assert!(body["detail"].as_str().unwrap().starts_with("1 of 3 results"), "{body}");
    assert_eq!(body["results"].as_array().unwrap().len(), 3);
    assert_eq!(body["summary"]["failed"], 1);
    assert_eq!(body["results"][1]["failure"], json!({"problem": "overloaded", "retryAfterSeconds": 1}));
}

#[test]
fn a_single_failure_is_the_detail_of_the_problem() {
    let (status, body) = merged(vec![failed("bb", ProblemKind::OutcomeUnknown, 1)]);
    assert_eq!(status, 503);
    let expected = json!({
        "type": "https://onceway.io/problems/outcome-unknown",
        "title": "Whether the signals were counted is unknown",
        "status": 503,
        "detail": "bb failed",
    });
    assert_eq!(body, expected);
}

#[test]
fn retry_after_is_the_longest_of_all_failures() {
    let failures = |waits: [u32; 3]| waits.map(|wait| failed("aa", ProblemKind::Draining, wait)).to_vec();
    for waits in [[1, 9, 2], [9, 1, 2], [1, 2, 9]] {
        assert_eq!(retry_after(failures(waits)), Some(9));
    }
    assert_eq!(retry_after(vec![rejected(0)]), None);
}

#[test]
fn signals_that_are_all_unusable_are_answered_400() {
    let (status, body) = merged(vec![rejected(0)]);
    assert_eq!((status, &body["detail"]), (400, &json!("alerts[0]: no name")));
    assert_eq!(body.get("results"), None);
    let (status, body) = merged(vec![rejected(0), rejected(1)]);
    assert_eq!((status, &body["summary"]["rejected"]), (400, &json!(2)));
    assert_eq!(body["type"], "https://onceway.io/problems/unusable-signals");
}

#[test]
fn alerts_that_are_not_listed_one_by_one_are_in_the_summary() {
    let (status, body) = merged(vec![rejected(0), counted(true, "aa"), SignalOutcome::rejected_rest(7, 30)]);
    assert_eq!((status, &body["results"][2]["standsFor"]), (207, &json!(30)));
    assert_eq!(body["summary"], json!({"total": 32, "created": 1, "deduplicated": 0, "rejected": 31, "failed": 0}));
    assert_eq!(merged(vec![rejected(0), SignalOutcome::rejected_rest(1, 30)]).0, 400);
}

#[test]
fn outcomes_that_were_sent_and_read_again_merge_into_the_same_response() {
    let outcomes = vec![
        counted(true, "aa"),
        failed("bb", ProblemKind::Draining, 2),
        rejected(2),
        resolved("cc"),
        SignalOutcome::rejected_rest(4, 9),
    ];
    let text = serde_json::to_string(&outcomes).unwrap();
    assert_eq!(merged(serde_json::from_str(&text).unwrap()), merged(outcomes));
}

#[test]
fn a_response_that_is_read_again_yields_the_same_outcomes() {
    let cases = [
        vec![counted(true, "aa")],
        vec![counted(false, "aa")],
        vec![resolved("aa")],
        vec![resolved("aa"), rejected(1), counted(true, "bb"), SignalOutcome::rejected_rest(4, 9)],
        vec![counted(true, "aa"), failed("bb", ProblemKind::Overloaded, 7), rejected(2)],
        vec![rejected(0), rejected(1)],
    ];
    for outcomes in cases {
        let response = merge(outcomes.clone());
        let read = read(response.status(), response.retry_after_s(), &response.to_json());
        assert_eq!(read, Some(outcomes));
    }
}

#[test]
fn a_single_failure_and_a_single_rejection_are_read_again_by_their_detail() {
    for kind in ProblemKind::ALL {
        let response = merge(vec![failed("bb", kind, 3)]);
        let read = read(response.status(), response.retry_after_s(), &response.to_json());
        let permanent = response.status() < 500;
        let expected = match permanent {
            true if kind.is_denial() => SignalOutcome::denied(None, kind, "bb failed".into()),
            true => SignalOutcome::rejected("bb failed".into()),
            false => SignalOutcome { fingerprint: None, ..failed("bb", kind, 3) },
        };
        assert_eq!(read, Some(vec![expected]), "{kind:?}");
    }
    let response = merge(vec![rejected(0)]);
    assert_eq!(read(400, None, &response.to_json()), Some(vec![rejected(0)]), "with its index");
}

#[test]
fn a_problem_in_the_words_of_kubernaut_keeps_its_kind_and_is_read_again_by_it() {
    for kind in ProblemKind::ALL {
        let ours = merge(vec![failed("bb", kind, 3)]);
        let theirs = ours.clone().typed(ProblemTypes::Kubernaut);
        let read = |response: &SignalResponse| read(response.status(), response.retry_after_s(), &response.to_json());
        assert_eq!(read(&theirs), read(&ours), "{kind:?}");
        assert_eq!(ours.clone().typed(ProblemTypes::Onceway), ours);
        assert_eq!(theirs.clone().typed(ProblemTypes::Kubernaut), theirs);
    }
    let problem = Problem { request_id: Some("7".into()), ..Problem::new(ProblemKind::Draining, "d") };
    assert_eq!(problem.clone().typed(ProblemTypes::Onceway).request_id, None);
    let problem = problem.typed(ProblemTypes::Kubernaut);
    let expected = json!({
        "type": "https://kubernaut.ai/problems/service-unavailable", "title": "Service Unavailable", "status": 503,
        "detail": "d", "request_id": "7", "kind": "draining",
    });
    assert_eq!(serde_json::to_value(problem).unwrap(), expected);
}

#[test]
fn a_response_that_contradicts_itself_is_not_read() {
    let body_of = |outcomes| merge(outcomes).to_json();
    let (failing, rejecting) = (
        body_of(vec![resolved("aa"), failed("bb", ProblemKind::Draining, 1)]),
        body_of(vec![rejected(0), rejected(1)]),
    );
    assert_eq!(read(400, None, &failing), None);
    assert_eq!(read(503, None, &rejecting), None);
    let created = body_of(vec![counted(true, "aa")]);
    for status in [100, 200, 202, 204, 207, 301, 400, 503, 600] {
        assert_eq!(read(status, None, &created), None, "{status}");
    }
    assert_eq!(read(201, None, b"{"), None);
}

#[test]
fn an_alert_of_another_webhook_is_named_by_its_new_index() {
    let moved = rejected(1).moved_to(30);
    assert_eq!((moved.alert, moved.message.as_str()), (Some(30), "alerts[30]: no name"));
    let moved = SignalOutcome::rejected_rest(2, 9).moved_to(12);
    assert!(moved.message.starts_with("alerts[12] and later") && moved.stands_for == Some(9), "{moved:?}");
    assert_eq!(counted(true, "aa").moved_to(5), counted(true, "aa"));
    let foreign = SignalOutcome { message: "other words".into(), ..rejected(1) };
    assert_eq!(foreign.moved_to(2).message, "other words");
    assert_eq!(rejected(1).status, Status::Rejected);
}

fn denied(fingerprint: &str, denial: ProblemKind) -> SignalOutcome {
    SignalOutcome::denied(Some(fingerprint.into()), denial, format!("{fingerprint} is refused"))
}

#[test]
fn a_sender_that_is_refused_for_all_incidents_gets_403_with_each_of_them() {
    let one = SignalResponse::from(Problem::new(ProblemKind::Forbidden, "aa is refused"));
    assert_eq!(merge(vec![denied("aa", ProblemKind::Forbidden)]), one);
    let (status, body) = merged(vec![denied("aa", ProblemKind::Forbidden), denied("bb", ProblemKind::Unauthenticated)]);
    assert_eq!((status, &body["type"]), (403, &json!("https://onceway.io/problems/forbidden")));
    assert_eq!(body["detail"], "none of 2 signals is permitted; first: aa is refused");
    assert_eq!((&body["results"][1]["denial"], &body["summary"]["rejected"]), (&json!("unauthenticated"), &json!(2)));
}

#[test]
fn a_sender_that_no_replica_knows_gets_the_401_of_one() {
    let whole = SignalResponse::from(Problem::new(ProblemKind::Unauthenticated, "aa is refused"));
    let kind = ProblemKind::Unauthenticated;
    assert_eq!(merge(vec![denied("aa", kind), denied("bb", kind)]), whole);
    assert_eq!((whole.www_authenticate(), merge(vec![resolved("aa")]).www_authenticate()), (Some("Bearer"), None));
}

#[test]
fn incidents_for_which_the_sender_is_refused_do_not_hold_back_the_others() {
    let refused = denied("aa", ProblemKind::Forbidden);
    let (status, body) = merged(vec![refused.clone(), counted(true, "bb")]);
    assert_eq!((status, &body["results"][0]["status"]), (207, &json!("rejected")));
    assert_eq!(merged(vec![refused.clone(), resolved("bb")]).0, 207);
    assert_eq!(merged(vec![refused.clone(), rejected(1)]).0, 400, "the sender can mend the second alert");
    assert_eq!(merged(vec![refused, failed("bb", ProblemKind::AuthUnavailable, 1)]).0, 503, "it is sent again");
}

#[test]
fn a_refused_sender_is_read_back_as_it_was_written() {
    for kind in [ProblemKind::Unauthenticated, ProblemKind::Forbidden] {
        let response = merge(vec![denied("aa", kind)]);
        let outcomes = read(response.status(), None, &response.to_json()).unwrap();
        assert_eq!(outcomes, [SignalOutcome::denied(None, kind, "aa is refused".into())]);
    }
}

fn out_of_scope(fingerprint: &str) -> SignalOutcome {
    let rejection = TargetRejection {
        status: Status::Rejected,
        reason: "unmanaged_resource".into(),
        message: "prod:Deployment:a is out of scope".into(),
        resource: "prod:Deployment:a".into(),
        action: "label it".into(),
    };
    SignalOutcome::rejected_target(fingerprint.into(), rejection)
}

#[test]
fn a_target_that_is_not_remediated_is_no_error_of_its_sender() {
    let (status, body) = merged(vec![out_of_scope("aa")]);
    let rejection = json!({"status": "rejected", "reason": "unmanaged_resource", "message": "prod:Deployment:a is out of scope",
        "resource": "prod:Deployment:a", "action": "label it"});
    assert_eq!((status, &body["status"], &body["rejection"]), (200, &json!("rejected"), &rejection));
    assert_eq!(body["fingerprint"], "aa");
    for outcomes in [vec![out_of_scope("aa"), out_of_scope("bb")], vec![rejected(0), out_of_scope("bb")]] {
        let (status, body) = merged(outcomes);
        assert_eq!((status, &body["summary"]["rejected"]), (207, &json!(2)));
    }
    assert_eq!(merged(vec![rejected(0), rejected(1)]).0, 400);
    assert_eq!(merged(vec![out_of_scope("aa"), failed("bb", ProblemKind::Overloaded, 1)]).0, 503);
}

#[test]
fn a_rejected_target_is_read_back_with_its_reason() {
    for outcomes in [vec![out_of_scope("aa")], vec![out_of_scope("aa"), counted(true, "bb")]] {
        let response = merge(outcomes.clone());
        assert_eq!(read(response.status(), None, &response.to_json()), Some(outcomes));
    }
}
