use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use onceway_claim::{ApiCall, ApiResult, ClaimFields, Phase, Rr};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};

use super::{CallFailure, CallOutcome, read, read_page, retry_after};

fn fingerprint() -> Fingerprint {
    "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1".parse().unwrap()
}

fn outcome_of(call: &ApiCall, status: u16, body: &Value) -> CallOutcome {
    read(call, fingerprint(), StatusCode::from_u16(status).unwrap(), None, body.to_string().as_bytes())
}

fn get_rr() -> ApiCall {
    ApiCall::GetRr { name: "rr-1".into(), under: None }
}

fn update_claim(version: &str) -> ApiCall {
    let fields = ClaimFields { holder: "".into(), intent: "rr-1".into(), created: true, floor: 1, transitions: 0 };
    ApiCall::UpdateClaim { version: version.into(), fields }
}

fn lease(version: &str) -> Value {
    let annotations =
        json!({"onceway.io/intent": "rr-1", "onceway.io/created": "true", "onceway.io/floor": "1", "other": "x"});
    json!({
        "metadata": {"name": "onceway-1", "uid": "u", "resourceVersion": version, "annotations": annotations},
        "spec": {"holderIdentity": "", "leaseTransitions": 0},
    })
}

#[test]
fn only_404_is_missing_and_only_409_is_a_conflict() {
    for status in [400, 401, 403, 405, 408, 410, 413, 422, 429, 500, 502, 503, 504] {
        assert_eq!(outcome_of(&get_rr(), status, &json!({})).result, ApiResult::Unknown, "{status}");
    }
    assert_eq!(outcome_of(&get_rr(), 404, &status("NotFound")).result, ApiResult::Missing);
    assert_eq!(outcome_of(&get_rr(), 409, &status("Conflict")).result, ApiResult::Conflict);
    assert_eq!(outcome_of(&get_rr(), 409, &status("AlreadyExists")).result, ApiResult::Conflict);
}

#[test]
fn a_404_or_409_that_is_not_about_the_object_is_unknown() {
    for code in [404, 409] {
        for body in [json!("404 page not found"), json!({}), status("Forbidden"), json!({"reason": "NotFound"})] {
            assert_eq!(outcome_of(&get_rr(), code, &body).result, ApiResult::Unknown, "{code} {body}");
        }
    }
}

fn status(reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason})
}

#[test]
fn a_create_that_gets_404_asks_for_the_crd_and_the_namespace() {
    let outcome = outcome_of(
        &ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() },
        404,
        &json!({"message": "namespace gone"}),
    );
    assert_eq!(
        outcome.failure,
        Some(CallFailure::Refused {
            status: 404,
            reason: "namespace gone; is the CRD applied, and does the namespace exist?".into()
        })
    );
}

#[test]
fn a_write_that_leaves_the_version_unchanged_is_no_fence() {
    let unchanged = outcome_of(&update_claim("7"), 200, &lease("7"));
    assert_eq!(unchanged.result, ApiResult::Unknown);
    assert_eq!(unchanged.failure.unwrap().label(), "nonsense");
    assert!(
        matches!(outcome_of(&update_claim("7"), 200, &lease("8")).result, ApiResult::Claim(claim) if &*claim.version == "8")
    );
}

#[test]
fn a_2xx_without_the_object_is_unknown() {
    for body in [json!(null), json!([]), json!({"metadata": {}})] {
        assert_eq!(outcome_of(&get_rr(), 200, &body).result, ApiResult::Unknown, "{body}");
    }
}

#[test]
fn each_failure_has_a_label_and_a_text() {
    let label = |status| outcome_of(&get_rr(), status, &json!({"message": "no"})).failure.unwrap().label();
    assert_eq!(
        [401, 403, 422, 429, 500].map(label),
        ["unauthorized", "forbidden", "refused", "throttled", "server_error"]
    );
    let timeout = CallFailure::Timeout { after: Duration::from_secs(3) };
    let connection = CallFailure::Connection { reason: "reset".into() };
    assert_eq!((timeout.label(), connection.label()), ("timeout", "connection"));
    assert!(timeout.to_string().contains("3000 ms") && connection.to_string().contains("reset"));
    let refused = outcome_of(&get_rr(), 403, &json!({"message": "leases is forbidden"})).failure.unwrap();
    assert_eq!(refused.to_string(), "the API server refused (403): leases is forbidden");
}

#[test]
fn a_message_that_is_no_status_is_kept_as_text_and_truncated() {
    let outcome = read(&get_rr(), fingerprint(), StatusCode::BAD_GATEWAY, None, "é".repeat(1000).as_bytes());
    let Some(CallFailure::Server { reason, .. }) = outcome.failure else { panic!("{outcome:?}") };
    assert_eq!(reason.chars().count(), 300);
}

#[test]
fn retry_after_is_honoured_up_to_a_limit() {
    let header = |text: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_str(text).unwrap());
        retry_after(&headers)
    };
    assert_eq!(header("2"), Some(Duration::from_secs(2)));
    assert_eq!(header("86400"), Some(Duration::from_secs(30)));
    assert_eq!(header("Wed, 21 Oct 2026 07:28:00 GMT"), None);
    assert_eq!(retry_after(&HeaderMap::new()), None);
    let wait = Some(Duration::from_secs(1));
    let throttled = read(&get_rr(), fingerprint(), StatusCode::TOO_MANY_REQUESTS, wait, b"");
    assert_eq!(throttled.retry_after, wait);
}

#[test]
fn a_lease_without_the_annotations_of_a_claim_is_refused_by_name() {
    let lease = json!({"metadata": {"name": "onceway-x", "uid": "u", "resourceVersion": "1"}, "spec": {}});
    let failure = outcome_of(&ApiCall::GetClaim, 200, &lease).failure.unwrap();
    assert!(failure.is_lasting(), "a retry would read the same Lease");
    let text = failure.to_string();
    assert!(text.contains("onceway-x") && text.contains("onceway.io/intent"), "{text}");
}

#[test]
fn the_response_to_a_delete_is_not_parsed() {
    let rr = Rr {
        name: "rr-1".into(),
        uid: "u".into(),
        version: "7".into(),
        fingerprint_matches: true,
        creator: "".into(),
        count: 0,
        phase: Phase::Active,
        first_seen_ms: None,
        last_seen_ms: None,
        signals: Default::default(),
    };
    assert_eq!(read(&ApiCall::DeleteRr { rr }, fingerprint(), StatusCode::OK, None, b"").result, ApiResult::Deleted);
}

#[test]
fn a_page_of_a_list_has_the_creation_time_and_fields_of_each_rr_and_the_token_of_the_next() {
    let rr = json!({
        "metadata": {"name": "rr-1", "uid": "u-1", "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"signalFingerprint": fingerprint().to_string()},
        "status": {"overallPhase": "Executing"},
    });
    let list = json!({"metadata": {"resourceVersion": "9", "continue": "more"}, "items": [rr]});
    let page = read_page(fingerprint(), list.to_string().as_bytes()).unwrap();
    let (created_s, rr) = &page.rrs[0];
    assert_eq!((*created_s, rr.phase, page.next.as_deref()), (1_767_225_600, Phase::Active, Some("more")));
    let last = json!({"metadata": {"resourceVersion": "9", "continue": ""}, "items": []});
    assert_eq!(read_page(fingerprint(), last.to_string().as_bytes()).unwrap().next, None);
}

#[test]
fn a_policy_that_denies_an_rr_is_told_from_a_missing_right_a_quota_and_an_invalid_object() {
    let create = ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() };
    let label = |call: &ApiCall, code, message: &str| {
        outcome_of(call, code, &json!({"kind": "Status", "reason": "Forbidden", "message": message}))
            .failure
            .unwrap()
            .label()
    };
    let policy = "remediationrequests.kubernaut.ai \"rr-1\" is forbidden: ValidatingAdmissionPolicy 'freeze' with binding \
                  'freeze' denied request: no repairs on Fridays";
    let webhook = "admission webhook \"freeze.example.com\" denied the request: no repairs on Fridays";
    for message in [policy, webhook] {
        assert_eq!((label(&create, 403, message), label(&create, 422, message)), ("denied", "denied"), "{message}");
        assert_eq!(label(&update_claim("7"), 403, message), "forbidden", "only an RR's creation is decided by it");
        assert_eq!(label(&create, 500, message), "server_error");
    }
    let long = format!("{}{}", "a".repeat(150), "b".repeat(400));
    let long = policy.replacen("freeze", &long, 2);
    assert_eq!(label(&create, 422, &long), "denied", "however long the names of policy and binding are");
    let echoed = format!("RemediationRequest \"rr-1\" is invalid: spec.x: Invalid value: {policy:?}");
    assert_eq!(
        label(&create, 422, &echoed.replace("\\\" is forbidden", " is forbidden")),
        "refused",
        "a sender's text"
    );
    for message in [
        "remediationrequests.kubernaut.ai is forbidden: User \"x\" cannot create resource \"remediationrequests\"",
        "remediationrequests.kubernaut.ai \"rr-1\" is forbidden: exceeded quota: rrs, requested: 1, used: 10, limited: 10",
        "RemediationRequest.kubernaut.ai \"rr-1\" is invalid: spec.severity: Too long",
    ] {
        assert_eq!(label(&create, 403, message), "forbidden", "{message}");
    }
}
