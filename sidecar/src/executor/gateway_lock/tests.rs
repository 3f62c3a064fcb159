use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use onceway_claim::{ApiCall, ApiResult};
use serde_json::{Value, json};
use tokio::time::advance;

use super::super::{CallFailure, CallOutcome, Context, Execute, Executor};
use crate::doubles::objects::{LEASES, RRS, executor_with, fingerprint, list, rr, spec, without_reads};
use crate::doubles::wire::{Met, Wire, status};
use crate::index::Index;
use crate::metrics::Metrics;
use crate::rr::SignalList;

const LOCK: &str = "gw-lock-91fce8d5c4949766";
const FIND: ApiCall = ApiCall::FindRr { except: None };

struct Rig {
    wire: Arc<Wire>,
    executor: Executor,
    metrics: Arc<Metrics>,
}

impl Rig {
    /// With an index that is in sync and knows no RR: only a list finds one.
    fn new() -> Self {
        let (wire, index, metrics) = (Wire::new(), Arc::new(Index::default()), Arc::new(Metrics::new()));
        index.begin_list();
        index.end_list();
        let executor = executor_with(&wire, (8, true), &index, &metrics, without_reads(&wire, &metrics));
        Self { wire, executor, metrics }
    }

    /// Whose lock is free, and taken with version 1.
    fn free() -> Self {
        let rig = Self::new();
        rig.wire.on(&format!("POST {LEASES}"), Met::Response(201, lock("pod-a_1", 0, "1")));
        rig
    }

    /// Whose lock exists, held by `holder`, written this many seconds ago.
    fn locked(holder: &str, seconds_ago: i64) -> Self {
        let rig = Self::new();
        rig.wire.on(&format!("POST {LEASES}"), status(409, "AlreadyExists"));
        rig.wire.on(&format!("GET {LEASES}/{LOCK}"), Met::Response(200, lock(holder, seconds_ago, "8")));
        rig
    }

    /// Whose lists show these RRs.
    fn listing<const N: usize>(self, rrs: [Value; N]) -> Self {
        self.wire.on(&format!("GET {RRS}"), Met::Response(200, list(rrs, "")));
        self
    }

    async fn execute(&self, call: &ApiCall) -> CallOutcome {
        let now = Timestamp::now();
        let context = Context {
            fingerprint: fingerprint(),
            first_received: now,
            last_received: now,
            by_name: SignalList::default(),
            spec: Some(Arc::new(spec)),
            target: Default::default(),
            provenance: Default::default(),
            trace: Default::default(),
        };
        self.executor.execute(call, &context).await
    }

    async fn create(&self, name: &str) -> CallOutcome {
        self.execute(&ApiCall::CreateRr { name: name.into(), under: "7".into() }).await
    }

    /// Ends the commit, and releases the lock if it is to be released.
    async fn end(&self) -> bool {
        let lock = self.executor.end_commit(fingerprint());
        let ended = lock.is_some();
        if let Some(lock) = lock {
            self.executor.release_lock(lock).await;
        }
        ended
    }

    /// Method and resource of the requests so far.
    fn lines(&self) -> Vec<String> {
        self.wire
            .lines()
            .iter()
            .map(|line| line.replace(LEASES, "leases").replace(RRS, "rrs").replace(LOCK, "LOCK"))
            .collect()
    }
}

fn lock(holder: &str, seconds_ago: i64, version: &str) -> Value {
    let renewed = Timestamp::now() - SignedDuration::from_secs(seconds_ago);
    json!({
        "metadata": { "name": LOCK, "uid": "uid-lock", "resourceVersion": version },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": renewed.to_string() },
    })
}

#[tokio::test]
async fn a_new_rr_is_looked_for_and_created_under_the_lock_which_is_then_released() {
    let rig = Rig::free().listing([]);
    rig.wire.on(&format!("POST {RRS}"), Met::Response(201, rr("rr-1", 1, "", 0)));
    assert_eq!(rig.execute(&FIND).await.result, ApiResult::Missing);
    assert!(matches!(rig.create("rr-1").await.result, ApiResult::Rr(_)));
    assert!(rig.end().await);
    assert_eq!(rig.lines(), ["POST leases", "GET rrs", "POST rrs", "DELETE leases/LOCK"]);

    let taken = &rig.wire.made(&format!("POST {LEASES}"))[0].body;
    assert_eq!((&taken["metadata"]["name"], &taken["spec"]["holderIdentity"]), (&json!(LOCK), &json!("pod-a_1")));
    assert_eq!(
        (&taken["spec"]["leaseDurationSeconds"], &taken["spec"]["renewTime"]),
        (&json!(15), &taken["spec"]["acquireTime"])
    );
    let released = &rig.wire.made(&format!("DELETE {LEASES}/{LOCK}"))[0].body;
    assert_eq!(released["preconditions"], json!({ "uid": "uid-lock", "resourceVersion": "1" }));
    assert!(!rig.end().await, "the next commit takes the lock anew");
}

#[tokio::test]
async fn an_rr_that_the_list_shows_is_found_though_the_index_does_not_know_it() {
    let rig = Rig::free().listing([rr("rr-theirs", 1, "Pending", 1)]);
    let found = rig.execute(&FIND).await.result;
    assert!(matches!(found, ApiResult::Rr(found) if &*found.name == "rr-theirs"));
    assert!(rig.end().await);
}

#[tokio::test]
async fn while_another_gateway_holds_the_lock_nothing_is_looked_for_or_created() {
    let rig = Rig::locked("gateway-7d9", 29);
    for call in [FIND, ApiCall::CreateRr { name: "rr-1".into(), under: "7".into() }] {
        let outcome = rig.execute(&call).await;
        let locked = CallFailure::Locked { lease: LOCK.into(), holder: "gateway-7d9".into() };
        assert_eq!((outcome.result, outcome.failure), (ApiResult::Unknown, Some(locked)));
    }
    assert_eq!(rig.lines(), ["POST leases", "GET leases/LOCK", "POST leases", "GET leases/LOCK"]);
    let failures = r#"gateway_lock_acquisition_failures_total{reason="locked"} 2"#;
    assert!(rig.metrics.render().unwrap().lines().any(|line| line == failures));
    assert!(!rig.end().await);
}

#[tokio::test]
async fn a_lock_that_has_expired_that_nobody_holds_or_that_is_ones_own_is_taken_over_in_that_version() {
    for (holder, seconds_ago) in [("gateway-7d9", 31), ("", 0), ("pod-a_1", 0)] {
        let rig = Rig::locked(holder, seconds_ago).listing([]);
        rig.wire.on(&format!("PATCH {LEASES}/{LOCK}"), Met::Response(200, lock("pod-a_1", 0, "9")));
        assert_eq!(rig.execute(&FIND).await.result, ApiResult::Missing, "{holder}");
        let body = &rig.wire.made(&format!("PATCH {LEASES}/{LOCK}"))[0].body;
        assert_eq!(
            (&body["metadata"]["resourceVersion"], &body["spec"]["holderIdentity"]),
            (&json!("8"), &json!("pod-a_1"))
        );
        assert!(rig.end().await);
        let released = &rig.wire.made(&format!("DELETE {LEASES}/{LOCK}"))[0].body;
        assert_eq!(released["preconditions"]["resourceVersion"], "9");
    }
}

#[tokio::test]
async fn a_lock_that_others_take_over_first_is_not_held() {
    let rig = Rig::locked("gateway-7d9", 31).listing([]);
    rig.wire.on(&format!("PATCH {LEASES}/{LOCK}"), status(409, "Conflict"));
    assert!(matches!(rig.execute(&FIND).await.failure, Some(CallFailure::Locked { .. })));
    assert!(!rig.lines().contains(&"GET rrs".to_owned()));
    assert_eq!(rig.wire.made(&format!("PATCH {LEASES}/{LOCK}")).len(), 3, "a bounded number of attempts");
}

#[tokio::test]
async fn a_refusal_of_the_lock_is_lasting() {
    let rig = Rig::new();
    rig.wire.on(&format!("POST {LEASES}"), status(403, "Forbidden"));
    assert!(rig.execute(&FIND).await.failure.is_some_and(|failure| failure.is_lasting()));
}

#[tokio::test]
async fn a_name_that_an_earlier_commit_claimed_is_given_up_where_another_rr_is_active_by_now() {
    let rig = Rig::free().listing([rr("rr-theirs", 1, "Pending", 1)]);
    assert_eq!(rig.create("rr-1").await.result, ApiResult::Conflict);
    assert_eq!(rig.lines(), ["POST leases", "GET rrs"], "it is not created");
    let read = rig.execute(&ApiCall::GetRr { name: "rr-1".into(), under: None }).await.result;
    assert!(matches!(read, ApiResult::Rr(rr) if !rr.fingerprint_matches), "so that the protocol does not use the name");
    assert_eq!(rig.execute(&ApiCall::GetRr { name: "rr-2".into(), under: None }).await.result, ApiResult::Missing);

    rig.wire.on(&format!("GET {RRS}/rr-1"), Met::Response(200, rr("rr-1", 1, "", 1)));
    let read = rig.execute(&ApiCall::GetRr { name: "rr-1".into(), under: None }).await.result;
    assert!(matches!(read, ApiResult::Rr(rr) if rr.fingerprint_matches), "one that does exist is read as it is");

    rig.end().await;
    rig.wire.on(&format!("GET {RRS}/rr-3"), status(404, "NotFound"));
    assert_eq!(rig.execute(&ApiCall::GetRr { name: "rr-3".into(), under: None }).await.result, ApiResult::Missing);
}

#[tokio::test]
async fn a_name_that_an_earlier_commit_claimed_is_created_where_no_other_rr_is_active() {
    let rig = Rig::free().listing([rr("rr-1", 1, "", 0), rr("rr-0", 0, "Completed", 3)]);
    rig.wire.on(&format!("POST {RRS}"), status(409, "AlreadyExists"));
    assert_eq!(rig.create("rr-1").await.result, ApiResult::Conflict);
    assert_eq!(rig.lines(), ["POST leases", "GET rrs", "POST rrs"]);
}

#[tokio::test]
async fn a_lock_is_left_to_expire_while_a_create_may_still_take_effect() {
    let rig = Rig::free().listing([]);
    rig.wire.on(&format!("POST {RRS}"), Met::Break).on(&format!("POST {RRS}"), status(403, "Forbidden"));
    assert_eq!(rig.create("rr-1").await.result, ApiResult::Unknown);
    assert!(rig.create("rr-1").await.failure.is_some_and(|failure| failure.is_lasting()));
    assert!(!rig.end().await, "the refusal says nothing about the first create");

    let refused = Rig::free().listing([]);
    refused.wire.on(&format!("POST {RRS}"), status(403, "Forbidden"));
    refused.create("rr-1").await;
    assert!(refused.end().await, "nothing was created");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_held_for_a_while_is_renewed_before_it_is_relied_on() {
    let rig = Rig::free().listing([]);
    rig.wire.on(&format!("POST {RRS}"), Met::Response(201, rr("rr-1", 1, "", 0)));
    rig.wire.on(&format!("PATCH {LEASES}/{LOCK}"), Met::Response(200, lock("pod-a_1", 0, "2")));
    rig.execute(&FIND).await;
    advance(Duration::from_secs(5)).await;
    rig.create("rr-1").await;
    assert_eq!(rig.lines(), ["POST leases", "GET rrs", "PATCH leases/LOCK", "POST rrs"]);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_was_lost_is_taken_anew_and_what_it_proved_is_forgotten() {
    let rig = Rig::free().listing([]).listing([rr("rr-theirs", 1, "", 1)]);
    rig.wire.on(&format!("PATCH {LEASES}/{LOCK}"), status(404, "NotFound"));
    rig.execute(&FIND).await;
    advance(Duration::from_secs(5)).await;
    assert_eq!(rig.create("rr-1").await.result, ApiResult::Conflict);
    assert_eq!(rig.lines()[2..], ["PATCH leases/LOCK", "POST leases", "GET rrs"]);
}
