use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use onceway_claim::{ApiCall, ApiResult};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{CallFailure, Context, Execute, Executor};
use crate::doubles::objects::{CALL_TIMEOUT, LEASES, RRS, claim, claim_path, executor, fingerprint, list, rr};
use crate::doubles::wire::{Met, Wire, status};
use crate::index::Index;
use crate::metrics::Metrics;
use crate::rr::SignalList;

struct Rig {
    wire: Arc<Wire>,
    executor: Executor,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
}

impl Rig {
    fn new() -> Self {
        Self::with_calls_in_flight(8)
    }

    fn with_calls_in_flight(in_flight: usize) -> Self {
        let (wire, index, metrics) = (Wire::new(), Arc::new(Index::default()), Arc::new(Metrics::new()));
        let executor = executor(&wire, in_flight, &index, &metrics);
        Self { wire, executor, index, metrics }
    }

    async fn execute(&self, call: &ApiCall) -> super::CallOutcome {
        self.executor.execute(call, &context()).await
    }

    fn has_metric(&self, line: &str) -> bool {
        self.metrics.render().unwrap().lines().any(|found| found == line)
    }

    /// An index that is in sync and knows these RRs.
    fn indexed(&self, rrs: &[Value]) {
        self.index.begin_list();
        rrs.iter().for_each(|rr| self.index.list(&serde_json::from_value(rr.clone()).unwrap()));
        self.index.end_list();
    }
}

fn context() -> Context {
    let now = Timestamp::now();
    let by_name = SignalList::default();
    Context {
        fingerprint: fingerprint(),
        first_received: now,
        last_received: now,
        by_name,
        spec: None,
        target: Default::default(),
        provenance: Default::default(),
        trace: Default::default(),
    }
}

fn get_rr() -> String {
    format!("GET {RRS}/rr-1")
}

fn name_of(result: &ApiResult) -> Option<&str> {
    if let ApiResult::Rr(rr) = result { Some(&rr.name) } else { None }
}

#[tokio::test]
async fn a_call_is_sent_once_and_its_response_is_read_and_measured() {
    let rig = Rig::new();
    rig.wire.on(&format!("GET {}", claim_path()), Met::Response(200, claim("rr-1", true, Timestamp::now(), "3")));
    let outcome = rig.execute(&ApiCall::GetClaim).await;
    let ApiResult::Claim(claim) = &outcome.result else { panic!("{outcome:?}") };
    assert_eq!((&*claim.version, &*claim.fields.intent), ("3", "rr-1"));
    assert!(outcome.bytes > 100);
    assert_eq!(rig.wire.lines().len(), 1);
    assert!(rig.has_metric(r#"gateway_api_calls_total{verb="get",resource="leases",outcome="ok"} 1"#));
}

#[tokio::test]
async fn a_404_of_the_api_server_is_missing() {
    let rig = Rig::new();
    assert_eq!(rig.execute(&ApiCall::GetRr { name: "rr-1".into(), under: None }).await.result, ApiResult::Missing);
    assert!(
        rig.has_metric(r#"gateway_api_calls_total{verb="get",resource="remediationrequests",outcome="not_found"} 1"#)
    );
}

#[tokio::test]
async fn a_missing_rr_that_the_index_has_seen_under_the_claims_version_is_gone() {
    let rig = Rig::new();
    let mut seen = rr("rr-1", 1, "Completed", 1);
    seen["metadata"]["annotations"]["onceway.io/claim-version"] = json!("7");
    rig.indexed(&[seen]);
    let read = |under: Option<&str>| ApiCall::GetRr { name: "rr-1".into(), under: under.map(Into::into) };
    for (under, expected) in [(Some("7"), ApiResult::Gone), (Some("8"), ApiResult::Missing), (None, ApiResult::Missing)]
    {
        assert_eq!(rig.execute(&read(under)).await.result, expected, "{under:?}");
        assert_eq!(rig.executor.execute_off_path(&read(under), fingerprint()).await.result, expected, "{under:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_unknown_and_counts_as_a_lock_failure() {
    let rig = Rig::new();
    rig.wire.on(&format!("GET {}", claim_path()), status(403, "Forbidden"));
    let outcome = rig.execute(&ApiCall::GetClaim).await;
    assert_eq!(outcome.result, ApiResult::Unknown);
    assert!(matches!(outcome.failure, Some(CallFailure::Refused { status: 403, .. })), "{outcome:?}");
    assert!(rig.has_metric(r#"gateway_lock_acquisition_failures_total{reason="forbidden"} 1"#));
}

#[tokio::test]
async fn a_refusal_requests_a_permission_recheck_and_nothing_else_does() {
    for (code, reason, doubted) in
        [(401, "Unauthorized", true), (403, "Forbidden", true), (500, "InternalError", false)]
    {
        let rig = Rig::new();
        rig.wire.on(&format!("GET {}", claim_path()), status(code, reason));
        rig.execute(&ApiCall::GetClaim).await;
        let raised = timeout(Duration::from_millis(1), rig.executor.api.transport.recheck.requested()).await;
        assert_eq!(raised.is_ok(), doubted, "{code}");
    }
}

#[tokio::test]
async fn a_failed_call_off_the_path_is_no_lock_failure() {
    let rig = Rig::new();
    rig.wire.on(&format!("GET {}", claim_path()), status(403, "Forbidden"));
    assert_eq!(rig.executor.execute_off_path(&ApiCall::GetClaim, fingerprint()).await.result, ApiResult::Unknown);
    assert!(rig.has_metric(r#"gateway_api_calls_total{verb="get",resource="leases",outcome="forbidden"} 1"#));
    assert!(!rig.has_metric(r#"gateway_lock_acquisition_failures_total{reason="forbidden"} 1"#));
}

#[tokio::test]
async fn a_response_that_is_too_large_is_a_failure_that_names_the_limit() {
    let rig = Rig::new();
    let mut huge = rr("rr-1", 1, "", 1);
    huge["spec"]["originalPayload"] = json!("x".repeat(5 * 1024 * 1024));
    rig.wire.on(&get_rr(), Met::Response(200, huge));
    let failure = rig.execute(&ApiCall::GetRr { name: "rr-1".into(), under: None }).await.failure.unwrap().to_string();
    assert!(failure.contains("larger than 4194304 bytes"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_response_times_out() {
    let rig = Rig::new();
    rig.wire.on(&get_rr(), Met::Silence);
    let begun = Instant::now();
    let outcome = rig.execute(&ApiCall::GetRr { name: "rr-1".into(), under: None }).await;
    assert_eq!(outcome.failure, Some(CallFailure::Timeout { after: CALL_TIMEOUT }));
    assert_eq!(begun.elapsed(), CALL_TIMEOUT);
    assert!(
        rig.has_metric(r#"gateway_api_calls_total{verb="get",resource="remediationrequests",outcome="timeout"} 1"#)
    );
}

#[tokio::test]
async fn a_connection_failure_names_its_cause() {
    let rig = Rig::new();
    rig.wire.on(&get_rr(), Met::Break);
    let outcome = rig.execute(&ApiCall::GetRr { name: "rr-1".into(), under: None }).await;
    let Some(CallFailure::Connection { reason }) = outcome.failure else { panic!("{outcome:?}") };
    assert!(reason.contains("the connection is reset"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_is_measured_as_abandoned() {
    let rig = Rig::new();
    rig.wire.on(&format!("GET {}", claim_path()), Met::Silence);
    let dropped = timeout(Duration::from_millis(10), rig.execute(&ApiCall::GetClaim)).await;
    assert!(dropped.is_err());
    assert!(rig.has_metric(r#"gateway_api_calls_total{verb="get",resource="leases",outcome="abandoned"} 1"#));
    assert!(rig.has_metric(r#"gateway_lock_acquisition_failures_total{reason="abandoned"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_limit_wait_for_those_in_flight() {
    let rig = Rig::with_calls_in_flight(2);
    rig.wire.on(&get_rr(), Met::Silence);
    let (begun, call) = (Instant::now(), ApiCall::GetRr { name: "rr-1".into(), under: None });
    join_all((0..6).map(|_| rig.execute(&call))).await;
    assert_eq!(begun.elapsed(), CALL_TIMEOUT * 3, "two at a time");
}

#[tokio::test]
async fn a_call_that_needs_a_batch_is_not_sent_without_one() {
    let rig = Rig::new();
    let outcome = rig
        .executor
        .execute_off_path(&ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() }, fingerprint())
        .await;
    assert_eq!(outcome.result, ApiResult::Unknown);
    assert!(matches!(outcome.failure, Some(CallFailure::Refused { status: 400, .. })), "{outcome:?}");
    assert!(rig.wire.lines().is_empty());
}

#[tokio::test]
async fn a_claim_is_created_among_the_leases() {
    let rig = Rig::new();
    rig.wire.on(&format!("POST {LEASES}"), status(409, "AlreadyExists"));
    let fields = onceway_claim::ClaimFields {
        holder: "pod-a_1".into(),
        intent: "rr-1".into(),
        created: false,
        floor: 1,
        transitions: 0,
    };
    assert_eq!(rig.execute(&ApiCall::CreateClaim(fields)).await.result, ApiResult::Conflict);
    let made = &rig.wire.made(&format!("POST {LEASES}"))[0];
    assert_eq!(made.body["metadata"]["annotations"]["onceway.io/intent"], "rr-1");
    assert!(rig.has_metric(r#"gateway_api_calls_total{verb="create",resource="leases",outcome="conflict"} 1"#));
}

mod targets {
    use std::sync::Arc;

    use onceway_claim::{ApiCall, ClaimFields};
    use onceway_signal::rules::Document;
    use serde_json::{Value, json};
    use tokio::task::yield_now;
    use tokio::time::Instant;

    use super::{Context, Execute, Executor, Met, RRS, claim, claim_path, context, rr, status};
    use crate::doubles::objects::{LEASES, TARGET_TIMEOUT, executor_with, spec, workloads};
    use crate::doubles::wire::Wire;
    use crate::index::Index;
    use crate::metrics::Metrics;
    use crate::workload::{Named, NewTarget};

    const POD: &str = "GET /api/v1/namespaces/prod/pods/a";
    const CREATE: ApiCall = ApiCall::GetClaim;

    struct Rig {
        wire: Arc<Wire>,
        index: Arc<Index>,
        executor: Executor,
    }

    impl Rig {
        /// With an index that is in sync and knows these RRs.
        fn new(rrs: &[Value]) -> Self {
            let (wire, index, metrics) = (Wire::new(), Arc::new(Index::default()), Arc::new(Metrics::new()));
            index.begin_list();
            rrs.iter().for_each(|rr| index.list(&serde_json::from_value(rr.clone()).unwrap()));
            index.end_list();
            let workloads = workloads(&wire, Document::default(), &metrics);
            let executor = executor_with(&wire, (8, false), &index, &metrics, workloads);
            Self { wire, index, executor }
        }

        async fn execute(&self, call: &ApiCall, context: &Context) {
            self.executor.execute(call, context).await;
            // A lookup is a task of its own.
            for _ in 0..10 {
                yield_now().await;
            }
        }

        fn reads(&self) -> usize {
            self.wire.made(POD).len()
        }
    }

    fn of_pod() -> Context {
        let mut named = Named::default();
        named.object = spec().target_resource;
        Context { spec: Some(Arc::new(spec)), target: NewTarget::new(named), ..context() }
    }

    fn fields(created: bool) -> ClaimFields {
        ClaimFields { holder: "pod-a_1".into(), intent: "rr-1".into(), created, floor: 1, transitions: 0 }
    }

    #[tokio::test]
    async fn a_new_incidents_target_is_looked_for_from_its_first_call_and_once() {
        let (rig, context) = (Rig::new(&[]), of_pod());
        for call in
            [CREATE, ApiCall::CreateClaim(fields(false)), ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() }]
        {
            rig.execute(&call, &context).await;
            assert_eq!(rig.reads(), 1, "{call:?}");
        }
    }

    #[tokio::test]
    async fn what_may_be_counted_in_an_rr_that_exists_is_looked_for_only_once_an_open_claim_is_written() {
        let update = |created| ApiCall::UpdateClaim { version: "3".into(), fields: fields(created) };
        let ended = Rig::new(&[rr("rr-1", 1, "", 1)]);
        ended.index.apply(&serde_json::from_value(rr("rr-1", 1, "Completed", 1)).unwrap());
        let unknown = Rig::new(&[]);
        unknown.index.lose_sync();
        for rig in [Rig::new(&[rr("rr-1", 1, "", 1)]), ended, unknown] {
            let context = of_pod();
            for call in [CREATE, ApiCall::GetRr { name: "rr-1".into(), under: None }, update(true)] {
                rig.execute(&call, &context).await;
                assert_eq!(rig.reads(), 0, "{call:?}");
            }
            rig.execute(&update(false), &context).await;
            assert_eq!(rig.reads(), 1);
        }
    }

    #[tokio::test]
    async fn a_call_off_the_path_looks_for_nothing() {
        let rig = Rig::new(&[]);
        rig.execute(&CREATE, &Context { spec: None, ..of_pod() }).await;
        assert_eq!(rig.reads(), 0);
    }

    #[tokio::test]
    async fn a_create_that_is_repeated_has_the_target_that_was_found_for_the_first() {
        let (rig, context) = (Rig::new(&[]), of_pod());
        let owner =
            json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": true}]);
        rig.wire.on(POD, Met::Response(200, json!({"metadata": {"name": "a", "ownerReferences": owner}})));
        rig.wire.on("GET /apis/apps/v1/namespaces/prod/daemonsets/d", Met::Response(200, json!({"metadata": {}})));
        rig.wire.on(&format!("POST {RRS}"), Met::Break).on(&format!("POST {RRS}"), status(500, "InternalError"));
        for _ in 0..2 {
            rig.execute(&ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() }, &context).await;
            rig.wire.on(POD, status(404, "NotFound"));
        }
        let made = rig.wire.made(&format!("POST {RRS}"));
        let expected = json!({"kind": "DaemonSet", "name": "d", "namespace": "prod", "apiVersion": "apps/v1"});
        assert_eq!(made.len(), 2);
        assert!(made.iter().all(|made| made.body["spec"]["targetResource"] == expected), "{made:?}");
        assert_eq!(made[0].body, made[1].body);
    }

    #[tokio::test(start_paused = true)]
    async fn a_create_waits_for_the_target_up_to_its_deadline_and_other_calls_do_not() {
        let (rig, context) = (Rig::new(&[]), of_pod());
        rig.wire.on(POD, Met::Silence);
        rig.wire
            .on(&format!("GET {}", claim_path()), Met::Response(200, claim("rr-1", true, context.last_received, "3")));
        rig.wire.on(&format!("POST {LEASES}"), status(409, "AlreadyExists"));
        let began = Instant::now();
        rig.execute(&CREATE, &context).await;
        rig.execute(&ApiCall::CreateClaim(fields(false)), &context).await;
        assert_eq!(began.elapsed().as_millis(), 0);
        rig.execute(&ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() }, &context).await;
        assert_eq!(began.elapsed(), TARGET_TIMEOUT);
        assert_eq!(rig.wire.made(&format!("POST {RRS}"))[0].body["spec"]["targetResource"]["name"], "a");
    }
}

mod find {
    use super::{
        ApiCall, ApiResult, CALL_TIMEOUT, CallFailure, Instant, Met, RRS, Rig, get_rr, join_all, json, list, name_of,
        rr, status,
    };

    const FIND: ApiCall = ApiCall::FindRr { except: None };

    #[tokio::test(start_paused = true)]
    async fn lists_have_a_limit_of_their_own_and_leave_room_for_other_calls() {
        let rig = Rig::new();
        rig.wire.on(&format!("GET {RRS}"), Met::Silence).on(&get_rr(), Met::Response(200, rr("rr-1", 1, "", 1)));
        let (begun, call) = (Instant::now(), ApiCall::GetRr { name: "rr-1".into(), under: None });
        let read = async {
            rig.execute(&call).await;
            begun.elapsed()
        };
        let (_, read) = tokio::join!(join_all((0..8).map(|_| rig.execute(&FIND))), read);
        assert!(read < CALL_TIMEOUT, "after {read:?}");
        assert_eq!(begun.elapsed(), CALL_TIMEOUT * 2, "four lists at a time");
    }

    #[tokio::test]
    async fn a_page_of_the_largest_rrs_is_read() {
        let rig = Rig::new();
        let large = |second: u32| {
            let mut large = rr(&format!("rr-{second}"), second, "", 1);
            large["spec"]["originalPayload"] = json!("x".repeat(3 * 1024 * 1024 / 2));
            large
        };
        let page = list([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(large), "");
        rig.wire.on(&format!("GET {RRS}"), Met::Response(200, page));
        let outcome = rig.execute(&FIND).await;
        assert_eq!(name_of(&outcome.result), Some("rr-0"), "{:?}", outcome.failure);
        assert!(rig.wire.made(&format!("GET {RRS}"))[0].query.contains("limit=10"));
    }

    #[tokio::test]
    async fn an_index_in_sync_without_an_rr_costs_no_call() {
        let rig = Rig::new();
        rig.indexed(&[]);
        assert_eq!(rig.execute(&FIND).await.result, ApiResult::Missing);
        assert!(rig.wire.lines().is_empty());
    }

    #[tokio::test]
    async fn rrs_from_the_index_are_confirmed_and_the_oldest_active_one_is_found() {
        let rig = Rig::new();
        rig.indexed(&[rr("rr-1", 1, "", 1), rr("rr-2", 2, "", 1), rr("rr-3", 3, "", 1)]);
        rig.wire.on(&get_rr(), Met::Response(200, rr("rr-1", 1, "Completed", 1)));
        rig.wire.on(&format!("GET {RRS}/rr-3"), Met::Response(200, rr("rr-3", 3, "", 1)));
        // rr-2 is deleted.
        let outcome = rig.execute(&FIND).await;
        assert_eq!(name_of(&outcome.result), Some("rr-3"), "{outcome:?}");
    }

    #[tokio::test]
    async fn the_excepted_rr_is_not_read_again() {
        let rig = Rig::new();
        rig.indexed(&[rr("rr-1", 1, "", 1)]);
        assert_eq!(rig.execute(&ApiCall::FindRr { except: Some("rr-1".into()) }).await.result, ApiResult::Missing);
        assert!(rig.wire.lines().is_empty(), "{:?}", rig.wire.lines());
    }

    #[tokio::test]
    async fn a_read_without_a_definite_result_is_not_taken_for_none() {
        let rig = Rig::new();
        rig.indexed(&[rr("rr-1", 1, "", 1)]);
        rig.wire.on(&get_rr(), status(500, "InternalError"));
        let outcome = rig.execute(&FIND).await;
        assert_eq!(outcome.result, ApiResult::Unknown);
        assert!(matches!(outcome.failure, Some(CallFailure::Server { status: 500, .. })), "{outcome:?}");
    }

    #[tokio::test]
    async fn without_the_index_all_pages_of_a_list_are_read_and_the_oldest_active_rr_is_found() {
        let rig = Rig::new();
        let mut foreign = rr("rr-0", 0, "", 1);
        foreign["spec"]["signalFingerprint"] = json!("0".repeat(64));
        let first = list([rr("rr-3", 3, "", 1), rr("rr-1", 1, "Failed", 1)], "more");
        let second = list([rr("rr-2", 2, "Executing", 1), foreign], "");
        rig.wire
            .on(&format!("GET {RRS}"), Met::Response(200, first))
            .on(&format!("GET {RRS}"), Met::Response(200, second));
        let outcome = rig.execute(&FIND).await;
        assert_eq!(name_of(&outcome.result), Some("rr-2"), "{outcome:?}");
        let made = rig.wire.made(&format!("GET {RRS}"));
        assert_eq!(made.len(), 2);
        assert!(made[0].query.contains("fieldSelector=spec.signalFingerprint"), "{}", made[0].query);
        assert!(made[1].query.contains("continue=more"), "{}", made[1].query);
    }

    #[tokio::test]
    async fn a_list_that_fails_or_is_invalid_is_not_taken_for_an_empty_one() {
        for met in [status(429, "TooManyRequests"), Met::Break, Met::Response(200, json!({"items": 1}))] {
            let rig = Rig::new();
            rig.wire.on(&format!("GET {RRS}"), met);
            let outcome = rig.execute(&FIND).await;
            assert!(outcome.result == ApiResult::Unknown && outcome.failure.is_some(), "{outcome:?}");
        }
    }
}
