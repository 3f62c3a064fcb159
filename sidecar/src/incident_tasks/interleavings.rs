//! Interleavings of what the owner tasks share, tried by a scheduler (shuttle) instead of hoped for: the table in which a
//! signal finds its incident's task while that task looks for signals, or ends; and the drain, which both race with.
//!
//! At each lock, spawn, wake and call to the API server the scheduler decides who goes on. tokio's own channels, tokens and
//! trackers count as one step each; they are tested by tokio. Time stands still: no deadline passes, and no pause is taken.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use onceway_claim::{ApiCall, ApiResult, Claim, ClaimFields, Phase, Rr};
use onceway_signal::Fingerprint;
use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use shuttle::scheduler::{DfsScheduler, PctScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};
use tokio::runtime::Builder;
use tokio::time::Instant;

use super::sync::schedule;
use super::{IncidentTasks, Settings};
use crate::executor::{CallOutcome, Context, Execute};
use crate::incident::{Commit, Counted, Drain, Submission, SubmitError};
use crate::metrics::Metrics;

/// Scenarios that are exhausted have fewer interleavings than this.
const MAX_EXECUTIONS: usize = 1_000_000;
/// How many random interleavings are tried of those that cannot be exhausted.
const RANDOM_EXECUTIONS: usize = 20_000;
/// How many times a random scheduler changes its mind about who goes first.
const PREEMPTIONS: usize = 5;

/// What each RR counts already: it was made by another replica, which leaves nothing to be done off the path.
const FOUND: u32 = 1;

/// An API server with one RR an incident. What it counts is what was added.
#[derive(Default)]
struct Api {
    counts: Mutex<Vec<(Fingerprint, u32)>>,
    /// Whether a commit of the first incident is at work: there is one task an incident, and never two.
    committing: AtomicBool,
    calls: AtomicU32,
    /// Whether others go on while a count is being written; else a commit is one step.
    slow: bool,
}

impl Api {
    fn count(&self, fingerprint: Fingerprint) -> u32 {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().rfind(|(of, _)| *of == fingerprint).map_or(0, |(_, count)| *count)
    }

    fn answer(&self, call: &ApiCall, fingerprint: Fingerprint) -> ApiResult {
        match call {
            ApiCall::GetClaim => ApiResult::Claim(claim()),
            ApiCall::GetRr { .. } => ApiResult::Rr(rr(FOUND + self.count(fingerprint))),
            ApiCall::Count { rr: before, count } => {
                // What the API server's compare-and-swap would refuse: a second task that counts from what it remembers.
                assert_eq!(before.count, FOUND + self.count(fingerprint), "somebody else has counted meanwhile");
                self.counts.lock().unwrap_or_else(PoisonError::into_inner).push((fingerprint, count - FOUND));
                ApiResult::Rr(rr(*count))
            }
            other => panic!("counting in an RR that another replica made takes no {other:?}"),
        }
    }
}

impl Execute for Api {
    async fn execute(&self, call: &ApiCall, context: &Context) -> CallOutcome {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let commits = context.fingerprint == fingerprint(1);
        if commits {
            assert!(!self.committing.swap(true, Ordering::Relaxed), "two tasks own one incident");
        }
        if self.slow && matches!(call, ApiCall::Count { .. }) {
            yield_now().await;
        }
        let answer = self.answer(call, context.fingerprint);
        if commits {
            self.committing.store(false, Ordering::Relaxed);
        }
        CallOutcome::definite(answer)
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
    }
}

fn fingerprint(n: u8) -> Fingerprint {
    format!("{n:02x}").repeat(32).parse().unwrap()
}

/// The counts that a sender is told, without what was there before.
type Told = Vec<Result<u32, SubmitError>>;

/// IncidentTasks over an API server, anew for each execution.
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
            // The next write is due at once, so that a task ends, if it does, in the same moment as signals come.
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
            signals: 1.try_into().unwrap(),
            received: Timestamp::UNIX_EPOCH,
            deadline: Instant::now() + Duration::from_secs(8),
            spec: Arc::new(|| panic!("nothing here writes a spec")),
        };
        self.tasks.submit(submission).await
    }

    /// So many signals of one incident, one after the other, and what their sender is told.
    async fn send(&self, incident: u8, signals: u32) -> Told {
        let mut told = Vec::new();
        for _ in 0..signals {
            told.push(self.submit(incident).await.map(|counted| counted.count - FOUND));
        }
        told
    }

    /// The same from a task of its own.
    fn sender(&self, incident: u8, signals: u32) -> JoinHandle<Told> {
        let rig = self.clone();
        spawn(async move { rig.send(incident, signals).await })
    }
}

/// Runs a scenario under a scheduler; how many executions there were.
fn run(scheduler: impl Scheduler + 'static, scenario: Scenario, slow: bool) -> usize {
    // The clock that tokio's timers ask. It stands, and nobody drives it: none of them ever fires.
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let _entered = runtime.enter();
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::Print;
    schedule(|| Runner::new(scheduler, config).run(move || scenario(slow)))
}

/// Tries every interleaving. A commit is one step: what is shared is touched before it and after it.
fn exhaust(scenario: Scenario) {
    let executions = run(DfsScheduler::new(Some(MAX_EXECUTIONS), false), scenario, false);
    println!("{executions} executions");
    assert!((2..MAX_EXECUTIONS).contains(&executions), "{executions} executions are not all of them");
}

/// Tries many of those in which others go on in the middle of a commit too, chosen so that rare ones are not missed.
fn sample(scenario: Scenario) {
    run(PctScheduler::new(PREEMPTIONS, RANDOM_EXECUTIONS), scenario, true);
}

/// A scenario, with an API server that is slow or not.
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

fn all_are_counted_once<const N: usize>(rig: &Rig, told: [Told; N]) {
    let mut all = Vec::new();
    for one in told {
        let one: Vec<u32> = one.into_iter().map(Result::unwrap).collect();
        assert!(one.is_sorted_by(|before, after| before < after), "one after the other: {one:?}");
        all.extend(one);
    }
    assert_eq!(rig.api.count(fingerprint(1)) as usize, all.len(), "{all:?}");
    // Each is told the count of its batch: what the batch before was told, and as many as are in it.
    let mut before = 0;
    for count in BTreeSet::from_iter(all.clone()) {
        let in_batch = all.iter().filter(|one| **one == count).count();
        assert_eq!((count - before) as usize, in_batch, "{all:?}");
        before = count;
    }
}

/// Whoever is not refused is answered before the drain ends, and nothing is begun afterwards.
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

fn drained<const N: usize>(rig: &Rig, senders: [JoinHandle<Told>; N]) {
    block_on(rig.tasks.drain());
    let counted = rig.api.count(fingerprint(1)) + rig.api.count(fingerprint(2));
    let calls = rig.api.calls.load(Ordering::Relaxed);
    let told: Vec<_> = senders.into_iter().flat_map(|sender| block_on(sender).unwrap()).collect();
    let acknowledged = told.iter().filter(|one| one.is_ok()).count();
    assert!(told.iter().all(|one| matches!(one, Ok(_) | Err(SubmitError::Draining))), "{told:?}");
    assert_eq!((counted as usize, rig.api.calls.load(Ordering::Relaxed)), (acknowledged, calls), "{told:?}");
}

/// A sender that goes away at any moment before another comes.
fn a_sender_that_goes_away_before_another_comes(slow: bool) {
    let rig = Rig::new(10, slow);
    rig.sender(1, 1).abort();
    one_at_least_is_counted(&rig);
}

/// Or beside it.
fn a_sender_that_goes_away_beside_another(slow: bool) {
    let rig = Rig::new(10, slow);
    let gone = rig.sender(1, 1);
    let aborting = spawn(async move { gone.abort() });
    one_at_least_is_counted(&rig);
    block_on(aborting).unwrap();
}

/// The signal of the sender that has gone is counted or not; the other's is, and once.
fn one_at_least_is_counted(rig: &Rig) {
    let told = *block_on(rig.send(1, 1))[0].as_ref().unwrap();
    block_on(rig.tasks.drain());
    let counted = rig.api.count(fingerprint(1));
    assert!((1..=2).contains(&counted) && (1..=counted).contains(&told), "told {told}, counted {counted}");
}

/// With room for one incident, another is taken in once the first is quiet, and else is told to come again.
fn two_incidents_where_there_is_room_for_one(slow: bool) {
    let rig = Rig::new(1, slow);
    let other = rig.sender(2, 1);
    let told = [block_on(rig.send(1, 1)), block_on(other).unwrap()];
    for (incident, told) in [1, 2].into_iter().zip(told) {
        match &told[0] {
            Ok(count) => assert_eq!((*count, rig.api.count(fingerprint(incident))), (1, 1)),
            Err(SubmitError::Overloaded { .. }) => assert_eq!(rig.api.count(fingerprint(incident)), 0),
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_signal_that_comes_at_any_moment_of_its_incidents_task_is_counted_once() {
    exhaust(two_signals_at_once);
    sample(a_signal_after_another_and_one_beside_them);
    sample(four_senders);
}

#[test]
fn a_drain_answers_all_that_was_taken_in_and_nothing_is_begun_after_it() {
    exhaust(a_drain_beside_a_sender);
    sample(a_drain_beside_three_senders);
}

#[test]
fn a_sender_that_goes_away_at_any_moment_takes_no_other_with_it() {
    exhaust(a_sender_that_goes_away_before_another_comes);
    sample(a_sender_that_goes_away_beside_another);
}

#[test]
fn an_incident_for_which_there_is_no_room_is_told_so_and_one_that_is_quiet_gives_way() {
    exhaust(two_incidents_where_there_is_room_for_one);
    sample(two_incidents_where_there_is_room_for_one);
}
