use onceway_claim::{Phase, Rr, SeenSignal};
use serde_json::{Value, json};

use super::{Malformed, RrView};

const FINGERPRINT: &str = "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1";

fn object(status: Value) -> Value {
    json!({
        "metadata": {"name": "rr-1", "uid": "u-1", "resourceVersion": "7",
            "annotations": {"onceway.io/creator": "pod-a_1", "kubectl/other": "x"}},
        "spec": {"signalFingerprint": FINGERPRINT, "originalPayload": "{\"alerts\":[]}", "unknown": {"deep": [1]}},
        "status": status,
    })
}

fn read(object: &Value) -> Result<Rr, Malformed> {
    let text = object.to_string();
    serde_json::from_str::<RrView<'_>>(&text).unwrap().rr(FINGERPRINT.parse().unwrap())
}

fn seen(object: &Value) -> Rr {
    read(object).unwrap()
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
fn a_terminal_rr_blocks_while_it_awaits_a_human_or_its_next_allowed_execution() {
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
fn an_rr_that_is_being_deleted_takes_no_signals_and_blocks_nothing() {
    let mut rr = object(json!({"overallPhase": "Failed", "completionStatus": {"outcome": "ManualReviewRequired"}}));
    rr["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    assert_eq!(seen(&rr).phase, Phase::Terminal);
}

#[test]
fn the_used_fields_are_read_and_the_rest_is_ignored() {
    let deduplication =
        json!({"firstSeenAt": "1970-01-01T00:00:02Z", "lastSeenAt": "2026-03-01T11:00:00Z", "occurrenceCount": 4});
    let rr = seen(&object(json!({"deduplication": deduplication, "other": {"kept": true}})));
    assert_eq!((&*rr.name, &*rr.uid, &*rr.version, &*rr.creator), ("rr-1", "u-1", "7", "pod-a_1"));
    assert_eq!((rr.count, rr.first_seen_ms, rr.fingerprint_matches), (4, Some(2000), true));
}

#[test]
fn the_signal_list_is_read_and_one_that_is_none_of_ours_is_no_error() {
    let entry = |count: i32| json!({"name": "Down", "count": count, "severity": "warning", "lastSeenAt": "1970-01-01T00:00:02Z"});
    let signals =
        |list: Value| seen(&object(json!({"deduplication": {"occurrenceCount": 4, "signals": list}}))).signals;
    let down = SeenSignal { name: "Down".into(), count: 3, severity: "warning".into(), last_seen_ms: 2000 };
    assert_eq!(*signals(json!([entry(3)])), [down]);
    let without_time = json!({"name": "Down", "count": 1, "severity": "warning"});
    for list in [Value::Null, json!([]), json!("Down"), json!([1]), json!([entry(1), without_time]), json!([entry(5)])]
    {
        assert_eq!(*signals(list.clone()), [], "{list}");
    }
}

#[test]
fn an_absent_or_negative_count_is_zero() {
    assert_eq!(seen(&object(Value::Null)).count, 0);
    assert_eq!(seen(&object(json!({"deduplication": {"occurrenceCount": -1}}))).count, 0);
}

#[test]
fn an_rr_of_another_fingerprint_is_not_of_this_incident() {
    let mut rr = object(Value::Null);
    rr["spec"]["signalFingerprint"] = json!("0".repeat(64));
    assert!(!seen(&rr).fingerprint_matches);
}

#[test]
fn a_malformed_field_fails_a_read_for_the_protocol_but_not_the_parsing() {
    for (status, field) in [
        (json!({"deduplication": {"firstSeenAt": "yesterday"}}), "status.deduplication.firstSeenAt"),
        (json!({"deduplication": {"lastSeenAt": 1}}), "status.deduplication.lastSeenAt"),
        (json!({"deduplication": {"occurrenceCount": 1_u64 << 31}}), "status.deduplication.occurrenceCount"),
        (json!({"routingStatus": {"nextAllowedExecution": "soon"}}), "status.routingStatus"),
        (json!({"completionStatus": {"outcome": 1}}), "status.completionStatus"),
    ] {
        assert_eq!(read(&object(status)), Err(Malformed(field)));
    }
    for (part, field) in
        [("name", "metadata.name"), ("uid", "metadata.uid"), ("resourceVersion", "metadata.resourceVersion")]
    {
        let mut rr = object(Value::Null);
        rr["metadata"].as_object_mut().unwrap().remove(part);
        assert_eq!(read(&rr), Err(Malformed(field)));
    }
    let mut rr = object(Value::Null);
    rr["spec"] = json!({});
    assert_eq!(read(&rr), Err(Malformed("spec.signalFingerprint")));
}
