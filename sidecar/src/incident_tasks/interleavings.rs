//! Interleavings on the tasks' shared state, explored by a scheduler (shuttle): a signal that looks its incident's task up
//! while that task takes its queue, or ends; and the drain, which races with both.
//!
//! The scheduler decides who runs next at each lock, spawn, wake and API call. tokio's channels, tokens and trackers count
//! as one step each; tokio tests them. The clock is paused: no deadline passes, and no pause takes time.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use onceway_claim::{ApiCall, ApiResult, Claim, ClaimFields, Phase, Rr};
use onceway_signal::{Fingerprint, Source};
use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use shuttle::scheduler::{DfsScheduler, PctScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};
use tokio::runtime::Builder;
use tokio::time::Instant;

use super::sync::schedule;
use super::{IncidentTasks, Settings};
use crate::executor::{CallOutcome, Context, Execute};
use crate::incident::{Commit, Counted, Drain, LogContext, Submission, SubmitError};
use crate::metrics::Metrics;
use crate::rr::SignalList;

/// Upper bound on the interleavings of an exhausted scenario.
const MAX_EXECUTIONS: usize = 1_000_000;
/// Random interleavings per scenario that cannot be exhausted.
const RANDOM_EXECUTIONS: usize = 20_000;
/// Changes of priority within one random interleaving (the depth of PCT).
const PREEMPTIONS: usize = 5;

/// The initial count of each RR, which another replica created.
const FOUND: u32 = 1;

/// An API server with one RR per incident.
#[derive(Default)]
struct Api {
    /// The counts written, less [`FOUND`].
    counts: Mutex<Vec<(Fingerprint, u32)>>,
    /// Whether a call of the first incident is in flight: an incident never has two tasks.
    committing: AtomicBool,
    calls: AtomicU32,
    /// Whether others may run during a count; if not, a commit is one step.
    slow: bool,
}

impl Api {
    fn count(&self, fingerprint: Fingerprint) -> u32 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().rfind(|(of, _)| *of == fingerprint).map_or(0, |(_, count)| *count)
    }

    fn result_of(&self, call: &ApiCall, fingerprint: Fingerprint) -> ApiResult {
        match call {
            ApiCall::GetClaim => ApiResult::Claim(claim()),
            ApiCall::GetRr { .. } => ApiResult::Rr(rr(FOUND + self.count(fingerprint))),
            ApiCall::Count { rr: before, count } => {
                // A second task would count from a stale RR; the real compare-and-swap would reject that.
                assert_eq!(before.count, FOUND + self.count(fingerprint), "another task has counted since");
                self.counts.lock().unwrap_or_else(PoisonError::into_inner).push((fingerprint, count - FOUND));
                ApiResult::Rr(rr(*count))
            }
            other => panic!("unexpected call for an RR of another replica: {other:?}"),
        }
    }
}

impl Execute for Api {
    async fn execute(&self, call: &ApiCall, context: &Context) -> CallOutcome {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let commits = context.fingerprint == fingerprint(1);
        if commits {
            assert!(!self.committing.swap(true, Ordering::Relaxed), "two tasks commit for one incident");
        }
        if self.slow && matches!(call, ApiCall::Count { .. }) {
            yield_now().await;
        }
        let result = self.result_of(call, context.fingerprint);
        if commits {
            self.committing.store(false, Ordering::Relaxed);
        }
        CallOutcome::definite(result)
    }

    fn is_known_inactive(&self, _: Fingerprint, _: &str) -> bool {
        false
    }
}

fn claim() -> Claim {
    let fields = ClaimFields { holder: "".into(), intent: "rr".into(), created: true, floor: 1, transitions: 0 };
    Claim { uid: "c".into(), version: "1".into(), fields }
}

fn rr(count: u32) -> Rr {
    let (name, uid, version, creator) = ("rr".into(), "u".into(), count.to_string().into(), "pod-b_1".into());
    Rr {
        name,
        uid,
        version,
        fingerprint_matches: true,
        creator,
        count,
        phase: Phase::Active,
        first_seen_ms: None,
        last_seen_ms: None,
        signals: Default::default(),
    }
}

fn fingerprint(n: u8) -> Fingerprint {
    format!("{n:02x}").repeat(32).parse().unwrap()
}

/// The results of one sender's signals: counts, less [`FOUND`].
type Results = Vec<Result<u32, SubmitError>>;

/// Incident tasks over an API server, new for each execution.
#[derive(Clone)]
struct Rig {
    api: Arc<Api>,
    tasks: Arc<IncidentTasks<Arc<Api>>>,
}

impl Rig {
    fn new(max_incidents: usize, slow: bool) -> Self {
        let api = Arc::new(Api { slow, ..Api::default() });
        let settings = Settings {
            namespace: "incidents".into(),
            identity: "pod-a_1".into(),
            deadline: Duration::from_secs(8),
            max_incidents,
            max_queue_per_incident: 100,
            incident_idle: Duration::from_secs(60),
            // The next write is due at once, so that a task may end while signals arrive.
            count_interval: Duration::ZERO,
            max_bytes_per_second: 1_000_000,
            takeover_after: Duration::from_millis(250),
        };
        let tasks = Arc::new(IncidentTasks::new(Arc::clone(&api), settings, Arc::new(Metrics::new())));
        Self { api, tasks }
    }

    async fn submit(&self, incident: u8) -> Result<Counted, SubmitError> {
        let submission = Submission {
            fingerprint: fingerprint(incident),
            source: Source::Prometheus,
            signals: 1.try_into().unwrap(),
            by_name: SignalList::default(),
            received: Timestamp::UNIX_EPOCH,
            deadline: Instant::now() + Duration::from_secs(8),
            spec: Arc::new(|| panic!("nothing here writes a spec")),
            target: Default::default(),
            log: LogContext::default(),
            provenance: Default::default(),
            namespace: "".into(),
            when_counted: None,
        };
        self.tasks.submit(submission).await
    }

    /// Sends signals of one incident one after the other, and returns their results.
    async fn send(&self, incident: u8, signals: u32) -> Results {
        let mut results = Vec::new();
        for _ in 0..signals {
            results.push(self.submit(incident).await.map(|counted| counted.count - FOUND));
        }
        results
    }

    /// The same in a new task.
    fn sender(&self, incident: u8, signals: u32) -> JoinHandle<Results> {
        let rig = self.clone();
        spawn(async move { rig.send(incident, signals).await })
    }
}

/// Runs a scenario under a scheduler and returns the number of executions.
fn run(scheduler: impl Scheduler + 'static, scenario: Scenario, slow: bool) -> usize {
    // tokio's timers use this paused clock. Nothing advances it, so that none of them ever fires.
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _entered = runtime.enter();
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::Print;
    schedule(|| Runner::new(scheduler, config).run(move || scenario(slow)))
}

/// Tries every interleaving. A commit is one step: shared state is used only before and after it.
fn exhaust(scenario: Scenario) {
    let executions = run(DfsScheduler::new(Some(MAX_EXECUTIONS), false), scenario, false);
    println!("{executions} executions");
    assert!((2..MAX_EXECUTIONS).contains(&executions), "{executions} executions do not exhaust the scenario");
}

/// Tries random interleavings that also switch tasks during a commit. PCT finds rare ones with a known probability.
fn sample(scenario: Scenario) {
    run(PctScheduler::new(PREEMPTIONS, RANDOM_EXECUTIONS), scenario, true);
}

/// A scenario; the argument is [`Api::slow`].
type Scenario = fn(bool);

fn two_signals_at_once(slow: bool) {
    let rig = Rig::new(10, slow);
    let sender = rig.sender(1, 1);
    all_are_counted_once(&rig, [block_on(rig.send(1, 1)), block_on(sender).unwrap()]);
}

fn a_signal_after_another_and_one_beside_them(slow: bool) {
    let rig = Rig::new(10, slow);
    let sender = rig.sender(1, 1);
    all_are_counted_once(&rig, [block_on(rig.send(1, 2)), block_on(sender).unwrap()]);
}

fn four_senders(slow: bool) {
    let rig = Rig::new(10, slow);
    let senders = [rig.sender(1, 3), rig.sender(1, 3), rig.sender(1, 2), rig.sender(1, 2)];
    all_are_counted_once(&rig, senders.map(|sender| block_on(sender).unwrap()));
}

fn all_are_counted_once<const N: usize>(rig: &Rig, results: [Results; N]) {
    let mut all = Vec::new();
    for one in results {
        let one: Vec<u32> = one.into_iter().map(Result::unwrap).collect();
        assert!(one.is_sorted_by(|before, after| before < after), "a sender's counts rise: {one:?}");
        all.extend(one);
    }
    assert_eq!(rig.api.count(fingerprint(1)) as usize, all.len(), "{all:?}");
    // Each result is the count after its batch: that of the previous batch plus the batch's size.
    let mut before = 0;
    for count in BTreeSet::from_iter(all.clone()) {
        let in_batch = all.iter().filter(|one| **one == count).count();
        assert_eq!((count - before) as usize, in_batch, "{all:?}");
        before = count;
    }
}

/// Every accepted signal has a result before the drain ends, and no call follows it.
fn a_drain_beside_a_sender(slow: bool) {
    let rig = Rig::new(10, slow);
    let sender = rig.sender(1, 1);
    drained(&rig, [sender]);
}

fn a_drain_beside_three_senders(slow: bool) {
    let rig = Rig::new(10, slow);
    let senders = [rig.sender(1, 2), rig.sender(1, 1), rig.sender(2, 1)];
    drained(&rig, senders);
}

fn drained<const N: usize>(rig: &Rig, senders: [JoinHandle<Results>; N]) {
    block_on(rig.tasks.drain());
    let counted = rig.api.count(fingerprint(1)) + rig.api.count(fingerprint(2));
    let calls = rig.api.calls.load(Ordering::Relaxed);
    let results: Vec<_> = senders.into_iter().flat_map(|sender| block_on(sender).unwrap()).collect();
    let acknowledged = results.iter().filter(|one| one.is_ok()).count();
    assert!(results.iter().all(|one| matches!(one, Ok(_) | Err(SubmitError::Draining))), "{results:?}");
    assert_eq!((counted as usize, rig.api.calls.load(Ordering::Relaxed)), (acknowledged, calls), "{results:?}");
}

/// The first sender disconnects at any moment before the second submits.
fn a_sender_that_disconnects_before_another_submits(slow: bool) {
    let rig = Rig::new(10, slow);
    rig.sender(1, 1).abort();
    one_at_least_is_counted(&rig);
}

/// The first sender disconnects while the second submits.
fn a_sender_that_disconnects_beside_another(slow: bool) {
    let rig = Rig::new(10, slow);
    let disconnecting = rig.sender(1, 1);
    let aborting = spawn(async move { disconnecting.abort() });
    one_at_least_is_counted(&rig);
    block_on(aborting).unwrap();
}

/// The disconnected sender's signal is counted or not; the other's is counted once.
fn one_at_least_is_counted(rig: &Rig) {
    let result = *block_on(rig.send(1, 1))[0].as_ref().unwrap();
    block_on(rig.tasks.drain());
    let counted = rig.api.count(fingerprint(1));
    assert!((1..=2).contains(&counted) && (1..=counted).contains(&result), "result {result}, counted {counted}");
}

/// With room for one incident, another is accepted once the first is idle, and rejected as overload before.
fn two_incidents_where_there_is_room_for_one(slow: bool) {
    let rig = Rig::new(1, slow);
    let other = rig.sender(2, 1);
    let results = [block_on(rig.send(1, 1)), block_on(other).unwrap()];
    for (incident, results) in [1, 2].into_iter().zip(results) {
        match &results[0] {
            Ok(count) => assert_eq!((*count, rig.api.count(fingerprint(incident))), (1, 1)),
            Err(SubmitError::Overloaded { .. }) => assert_eq!(rig.api.count(fingerprint(incident)), 0),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_signal_that_arrives_at_any_moment_of_its_incidents_task_is_counted_once() {
    exhaust(two_signals_at_once);
    sample(a_signal_after_another_and_one_beside_them);
    sample(four_senders);
}

#[test]
fn a_drain_gives_every_accepted_signal_a_result_and_nothing_begins_after_it() {
    exhaust(a_drain_beside_a_sender);
    sample(a_drain_beside_three_senders);
}

#[test]
fn a_sender_that_disconnects_at_any_moment_affects_no_other() {
    exhaust(a_sender_that_disconnects_before_another_submits);
    sample(a_sender_that_disconnects_beside_another);
}

#[test]
fn an_incident_beyond_the_limit_is_rejected_unless_an_idle_one_can_be_evicted() {
    exhaust(two_incidents_where_there_is_room_for_one);
    sample(two_incidents_where_there_is_room_for_one);
}
