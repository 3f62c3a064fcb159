use onceway_claim::{ApiCall, ApiResult, Phase, Rr};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};

use super::read;

const FINGERPRINT: &str = "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1";

fn object(status: Value) -> Value {
    json!({
        "metadata": {"name": "rr-1", "uid": "u-1", "resourceVersion": "7",
            "annotations": {"onceway.io/creator": "pod-a_1", "kubectl/other": "x"}},
        "spec": {"signalFingerprint": FINGERPRINT, "originalPayload": "{\"alerts\":[]}", "unknown": {"deep": [1]}},
        "status": status,
    })
}

fn seen(object: &Value) -> Rr {
    let fingerprint = FINGERPRINT.parse::<Fingerprint>().unwrap();
    match read(&ApiCall::GetRr { name: "rr-1".into() }, fingerprint, object.to_string().as_bytes()) {
        Ok(ApiResult::Rr(rr)) => rr,
        other => panic!("{other:?}"),
    }
}

fn phase(status: Value) -> Phase {
    seen(&object(status)).phase
}

#[test]
fn each_phase_is_terminal_or_active() {
    for name in ["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"] {
        assert_eq!(phase(json!({"overallPhase": name})), Phase::Terminal, "{name}");
    }
    let active =
        ["Pending", "Processing", "Analyzing", "AwaitingApproval", "Executing", "Verifying", "Blocked", "", "New"];
    for name in active {
        assert_eq!(phase(json!({"overallPhase": name})), Phase::Active, "{name}");
    }
    assert_eq!(phase(Value::Null), Phase::Active);
}

#[test]
fn a_terminal_rr_blocks_while_it_awaits_a_human_or_its_time() {
    let reviewed = json!({"overallPhase": "Failed", "completionStatus": {"outcome": "ManualReviewRequired"}});
    assert_eq!(phase(reviewed), Phase::ManualReview);
    let blocked = json!({"overallPhase": "Failed", "routingStatus": {"nextAllowedExecution": "1970-01-01T00:01:40Z"}});
    assert_eq!(phase(blocked), Phase::NotBefore(100_000));
    let remediated = json!({"overallPhase": "Completed", "completionStatus": {"outcome": "Remediated"}});
    assert_eq!(phase(remediated), Phase::Terminal);
}

#[test]
fn a_block_means_nothing_while_the_rr_is_active() {
    let active = json!({"overallPhase": "Blocked", "routingStatus": {"nextAllowedExecution": "2099-01-01T00:00:00Z"}});
    assert_eq!(phase(active), Phase::Active);
}

#[test]
fn an_rr_that_is_being_deleted_is_over_and_blocks_nothing() {
    let mut rr = object(json!({"overallPhase": "Failed", "completionStatus": {"outcome": "ManualReviewRequired"}}));
    rr["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    assert_eq!(seen(&rr).phase, Phase::Terminal);
}

#[test]
fn the_facts_are_read_and_the_rest_is_passed_over() {
    let deduplication =
        json!({"firstSeenAt": "1970-01-01T00:00:02Z", "lastSeenAt": "2026-03-01T11:00:00Z", "occurrenceCount": 4});
    let rr = seen(&object(json!({"deduplication": deduplication, "other": {"kept": true}})));
    assert_eq!((&*rr.name, &*rr.uid, &*rr.version, &*rr.creator), ("rr-1", "u-1", "7", "pod-a_1"));
    assert_eq!((rr.count, rr.first_seen_ms, rr.fingerprint_matches), (4, Some(2000), true));
}

#[test]
fn an_absent_or_negative_count_is_zero() {
    assert_eq!(seen(&object(Value::Null)).count, 0);
    assert_eq!(seen(&object(json!({"deduplication": {"occurrenceCount": -1}}))).count, 0);
}

#[test]
fn another_fingerprint_is_not_ours() {
    let mut rr = object(Value::Null);
    rr["spec"]["signalFingerprint"] = json!("0".repeat(64));
    assert!(!seen(&rr).fingerprint_matches);
}

#[test]
fn a_lease_without_our_annotations_is_refused_by_name() {
    let lease = json!({"metadata": {"name": "onceway-x", "uid": "u", "resourceVersion": "1"}, "spec": {}});
    let error = read(&ApiCall::GetClaim, FINGERPRINT.parse().unwrap(), lease.to_string().as_bytes()).unwrap_err();
    assert!(error.is_lasting(), "asking again would meet the same Lease");
    let error = error.to_string();
    assert!(error.contains("onceway-x") && error.contains("onceway.io/intent"), "{error}");
}

#[test]
fn a_deleted_object_needs_no_reading() {
    let rr = seen(&object(Value::Null));
    assert_eq!(read(&ApiCall::DeleteRr { rr }, FINGERPRINT.parse().unwrap(), b""), Ok(ApiResult::Deleted));
}

#[test]
fn a_page_of_a_list_has_the_age_and_facts_of_each_rr_and_the_token_of_the_next() {
    let mut listed = object(json!({"overallPhase": "Executing"}));
    listed["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let fingerprint = FINGERPRINT.parse().unwrap();
    let list = json!({"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [listed]});
    let page = super::page(fingerprint, list.to_string().as_bytes()).unwrap();
    let (created, rr) = &page.rrs[0];
    assert_eq!(
        (created.as_str(), rr.phase, page.next.as_deref()),
        ("2026-01-01T00:00:00Z", Phase::Active, Some("more"))
    );
    let last = json!({"metadata": {"resourceVersion": "9", "continue": ""}, "items": []});
    assert_eq!(super::page(fingerprint, last.to_string().as_bytes()).unwrap().next, None);
}
