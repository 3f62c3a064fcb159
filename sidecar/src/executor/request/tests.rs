use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use onceway_claim::{ApiCall, ClaimFields, Phase, Rr, SeenSignal};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};

use super::Requests;
use crate::executor::Context;
use crate::rr::{Provenance, RemediationRequestSpec, SignalList};

const FINGERPRINT: &str = "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1";

fn requests() -> Requests {
    Requests::new("incidents", "pod-a_1".into(), Duration::from_secs(30))
}

fn spec() -> RemediationRequestSpec {
    let spec = json!({
        "signalFingerprint": FINGERPRINT, "signalName": "HighErrorRate", "severity": "critical",
        "signalType": "alert", "targetType": "kubernetes", "targetResource": {"kind": "Pod", "name": "p"},
        "firingTime": "2026-03-01T10:00:00Z", "receivedTime": "2026-03-01T10:00:00Z",
    });
    serde_json::from_value(spec).unwrap()
}

fn context() -> Context {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    Context {
        fingerprint: FINGERPRINT.parse::<Fingerprint>().unwrap(),
        first_received: at("2026-03-01T10:00:00Z"),
        last_received: at("2026-03-01T10:00:05Z"),
        by_name: batch(&[("HighErrorRate", 3), ("PodNotReady", 2)]),
        spec: Some(Arc::new(spec)),
        target: Default::default(),
        provenance: Default::default(),
        trace: Default::default(),
    }
}

/// Signals by name, the last of them received with the batch's last.
fn batch(names: &[(&str, u32)]) -> SignalList {
    let mut list = SignalList::default();
    for (name, count) in names {
        (0..*count).for_each(|_| list.add(name, "warning", "2026-03-01T10:00:05Z".parse().unwrap()));
    }
    list
}

fn rr(first_seen_ms: Option<u64>) -> Rr {
    Rr {
        name: "rr-91fce8d5c494-100".into(),
        uid: "u1".into(),
        version: "7".into(),
        fingerprint_matches: true,
        creator: "pod-a_1".into(),
        count: 3,
        phase: Phase::Active,
        first_seen_ms,
        last_seen_ms: None,
        signals: Default::default(),
    }
}

fn fields(holder: &str) -> ClaimFields {
    let (holder, intent) = (holder.into(), "rr-91fce8d5c494-100".into());
    ClaimFields { holder, intent, created: false, floor: 100, transitions: 2 }
}

/// The request of a call as its line and its body.
fn built(call: &ApiCall) -> (String, Value) {
    let request = requests().build(call, context().fingerprint, Some(&context()), Some(&spec())).unwrap();
    let body = serde_json::from_slice(request.body()).unwrap_or(Value::Null);
    (format!("{} {}", request.method(), request.uri()), body)
}

#[test]
fn reads_carry_no_resource_version_and_are_quorum_reads() {
    let leases = "/apis/coordination.k8s.io/v1/namespaces/incidents/leases";
    let rrs = "/apis/kubernaut.ai/v1alpha1/namespaces/incidents/remediationrequests";
    assert_eq!(built(&ApiCall::GetClaim).0.trim_end_matches('?'), format!("GET {leases}/onceway-{FINGERPRINT}"));
    let get = built(&ApiCall::GetRr { name: "rr-1".into(), under: None }).0;
    assert_eq!(get.trim_end_matches('?'), format!("GET {rrs}/rr-1"));
}

#[test]
fn a_new_claim_names_its_holder_intent_and_floor() {
    let (line, body) = built(&ApiCall::CreateClaim(fields("pod-a_1")));
    assert!(line.starts_with("POST "), "{line}");
    assert_eq!(body["metadata"]["name"], format!("onceway-{FINGERPRINT}"));
    let annotations = &body["metadata"]["annotations"];
    assert_eq!(annotations["onceway.io/intent"], "rr-91fce8d5c494-100");
    assert_eq!(
        (&annotations["onceway.io/created"], &annotations["onceway.io/floor"]),
        (&json!("false"), &json!("100"))
    );
    assert_eq!(body["spec"]["holderIdentity"], "pod-a_1");
    assert_eq!(body["spec"]["leaseDurationSeconds"], 30);
    assert_eq!(body["spec"]["acquireTime"], body["spec"]["renewTime"]);
}

#[test]
fn an_update_of_a_claim_is_a_compare_and_swap_whose_renew_time_always_changes() {
    let before = Timestamp::now();
    let (line, body) = built(&ApiCall::UpdateClaim { version: "41".into(), fields: fields("pod-a_1") });
    assert!(line.starts_with("PATCH "), "{line}");
    assert_eq!(body["metadata"]["resourceVersion"], "41");
    let renewed: Timestamp = body["spec"]["renewTime"].as_str().unwrap().parse().unwrap();
    assert!(renewed.as_microsecond() >= before.as_microsecond() && renewed <= Timestamp::now());
}

#[test]
fn a_confirmed_claim_leaves_acquire_time_unchanged() {
    let (_, body) = built(&ApiCall::UpdateClaim { version: "41".into(), fields: fields("") });
    assert_eq!(body["spec"]["holderIdentity"], "");
    assert!(body["spec"].get("acquireTime").is_none());
}

#[test]
fn a_new_rr_names_its_creator_and_the_version_of_its_claim() {
    let (_, body) = built(&ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() });
    assert_eq!(body["metadata"]["name"], "rr-1");
    assert_eq!(
        body["metadata"]["annotations"],
        json!({"onceway.io/creator": "pod-a_1", "onceway.io/claim-version": "7"})
    );
    assert_eq!(body["metadata"]["labels"]["app.kubernetes.io/managed-by"], "onceway");
    assert_eq!(body["spec"], serde_json::to_value(spec()).unwrap());
}

#[test]
fn who_asked_for_an_rr_is_written_when_it_is_created_and_nowhere_else() {
    let provenance = Provenance { sender: Some("sender-a".into()), request_id: Some("7f3c".into()) };
    let asked = Context { provenance, ..context() };
    let fingerprint = FINGERPRINT.parse().unwrap();
    let built = |call: &ApiCall| requests().build(call, fingerprint, Some(&asked), Some(&spec())).unwrap().into_body();
    let body: Value =
        serde_json::from_slice(&built(&ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() })).unwrap();
    let annotations = &body["metadata"]["annotations"];
    assert_eq!(
        (&annotations["onceway.io/sender"], &annotations["onceway.io/request-id"]),
        (&json!("sender-a"), &json!("7f3c"))
    );
    assert_eq!(annotations["onceway.io/creator"], "pod-a_1");
    let others = [ApiCall::CreateClaim(fields("pod-a_1")), ApiCall::Count { rr: rr(None), count: 8 }];
    for call in others {
        assert!(!String::from_utf8(built(&call)).unwrap().contains("sender-a"), "{call:?}");
    }
}

#[test]
fn a_count_patches_only_deduplication_and_requires_uid_and_version() {
    let (line, body) = built(&ApiCall::Count { rr: rr(None), count: 8 });
    assert!(line.contains("remediationrequests/rr-91fce8d5c494-100/status"), "{line}");
    let seen = json!({
        "occurrenceCount": 8, "firstSeenAt": "2026-03-01T10:00:00Z", "lastSeenAt": "2026-03-01T10:00:05Z",
        "distinctSignals": 2, "signals": [
            {"name": "HighErrorRate", "count": 3, "severity": "warning", "lastSeenAt": "2026-03-01T10:00:05Z"},
            {"name": "PodNotReady", "count": 2, "severity": "warning", "lastSeenAt": "2026-03-01T10:00:05Z"},
        ],
    });
    let expected = json!({"metadata": {"resourceVersion": "7", "uid": "u1"}, "status": {"deduplication": seen}});
    assert_eq!(body, expected);
}

#[test]
fn a_later_count_leaves_first_seen_at_unchanged() {
    let (_, body) = built(&ApiCall::Count { rr: rr(Some(1)), count: 8 });
    assert!(body["status"]["deduplication"].get("firstSeenAt").is_none());
}

#[test]
fn last_seen_at_never_goes_back() {
    let later: Timestamp = "2026-03-01T10:00:09Z".parse().unwrap();
    let seen = Rr { last_seen_ms: u64::try_from(later.as_millisecond()).ok(), ..rr(Some(1)) };
    let (_, body) = built(&ApiCall::Count { rr: seen, count: 8 });
    assert_eq!(body["status"]["deduplication"]["lastSeenAt"], "2026-03-01T10:00:09Z");
}

#[test]
fn a_count_extends_the_signal_list_of_the_version_that_it_requires() {
    let listed = |name: &str, count, last_seen_ms| SeenSignal {
        name: name.into(),
        count,
        severity: "critical".into(),
        last_seen_ms,
    };
    let later: Timestamp = "2026-03-01T10:00:09Z".parse().unwrap();
    let signals = [listed("PodNotReady", 1, 0), listed("NodeDown", 2, u64::try_from(later.as_millisecond()).unwrap())];
    let (_, body) = built(&ApiCall::Count { rr: Rr { signals: signals.into(), ..rr(Some(1)) }, count: 8 });
    let deduplication = &body["status"]["deduplication"];
    let expected = json!([
        {"name": "PodNotReady", "count": 3, "severity": "critical", "lastSeenAt": "2026-03-01T10:00:05Z"},
        {"name": "NodeDown", "count": 2, "severity": "critical", "lastSeenAt": "2026-03-01T10:00:09Z"},
        {"name": "HighErrorRate", "count": 3, "severity": "warning", "lastSeenAt": "2026-03-01T10:00:05Z"},
    ]);
    assert_eq!((&deduplication["signals"], &deduplication["distinctSignals"]), (&expected, &json!(3)));
}

#[test]
fn a_count_at_its_maximum_leaves_the_signal_list_unchanged() {
    let (_, body) = built(&ApiCall::Count { rr: rr(Some(1)), count: 7 });
    let deduplication = &body["status"]["deduplication"];
    assert_eq!(deduplication["occurrenceCount"], 7);
    assert!(deduplication.get("signals").is_none() && deduplication.get("distinctSignals").is_none());
}

#[test]
fn a_delete_requires_uid_and_version() {
    let (line, body) = built(&ApiCall::DeleteRr { rr: rr(None) });
    assert!(line.starts_with("DELETE "), "{line}");
    assert_eq!(body["preconditions"], json!({"uid": "u1", "resourceVersion": "7"}));
}

#[test]
fn without_a_batch_no_rr_can_be_created_or_counted() {
    let create = ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() };
    assert!(requests().build(&create, context().fingerprint, None, Some(&spec())).is_err());
    assert!(requests().build(&ApiCall::GetClaim, context().fingerprint, None, None).is_ok());
}

#[test]
fn a_claim_is_deleted_as_it_was_last_seen() {
    let claim = onceway_claim::Claim { uid: "u-9".into(), version: "41".into(), fields: fields("") };
    let (line, body) = built(&ApiCall::DeleteClaim { claim });
    assert!(line.starts_with("DELETE ") && line.contains(&format!("/leases/onceway-{FINGERPRINT}")), "{line}");
    assert_eq!(body["preconditions"], json!({"uid": "u-9", "resourceVersion": "41"}));
}

#[test]
fn the_rrs_of_a_fingerprint_are_listed_page_by_page() {
    let line = |after| requests().list_rrs(context().fingerprint, after).unwrap().uri().to_string();
    assert!(line(None).contains(&format!("fieldSelector=spec.signalFingerprint%3D{FINGERPRINT}")), "{}", line(None));
    assert!(line(Some("token")).contains("continue=token"), "{}", line(Some("token")));
    assert!(!line(None).contains("resourceVersion"), "a quorum read");
}
