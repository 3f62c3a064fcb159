//! A scripted API server with one RR and one claim per incident, and the incident tasks over it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use onceway_claim::{ApiCall, ApiResult, Claim, ClaimFields, Phase, Rr};
use onceway_signal::{Fingerprint, Source};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::executor::{CallFailure, CallOutcome, Context, Execute, Expected};
use crate::incident::{Commit, Counted, LogContext, Submission, SubmitError, WhenCounted};
use crate::incident_tasks::{IncidentTasks, Settings};
use crate::metrics::Metrics;
use crate::rr::SignalList;

pub(super) const DEADLINE: Duration = Duration::from_secs(8);
pub(super) const INTERVAL: Duration = Duration::from_millis(20);
pub(super) const IDLE: Duration = Duration::from_secs(60);
const ME: &str = "pod-a_1";

pub(super) fn fingerprint(n: u8) -> Fingerprint {
    format!("{n:02x}").repeat(32).parse().unwrap()
}

pub(super) fn unavailable() -> Option<CallOutcome> {
    Some(CallOutcome::unknown(CallFailure::Server { status: 503, reason: "unavailable".into() }))
}

pub(super) fn refused() -> Option<CallOutcome> {
    Some(CallOutcome::unknown(CallFailure::Refused { status: 403, reason: "leases is forbidden".into() }))
}

#[derive(Default)]
struct State {
    claims: HashMap<Fingerprint, Claim>,
    rrs: HashMap<Fingerprint, Rr>,
    versions: u32,
    calls: Vec<(Instant, ApiCall)>,
    /// The outcome of all calls, if set.
    forced: Option<CallOutcome>,
    lose_next_count: bool,
    /// How many counts meet a conflict: another writer has changed the RR.
    conflicts: u32,
    /// The outcome of all calls after a count whose response was lost.
    after_loss: Option<CallOutcome>,
    create_latency: Duration,
    count_latency: Duration,
    panic: bool,
    rr_bytes: usize,
    /// Whether the last call's context had a spec.
    with_spec: bool,
    /// Whether every RR is known to be inactive.
    inactive: bool,
    /// How long a call is expected to take.
    expected_call: Duration,
    expected_wait: Duration,
}

/// The scripted API server.
pub(super) struct Api {
    state: Mutex<State>,
    /// Whose counts are held.
    held: watch::Sender<Held>,
    reached: Notify,
}

#[derive(Clone, Copy, PartialEq)]
enum Held {
    None,
    One(u8),
    All,
}

/// Holds counts until released.
pub(super) struct Hold<'a>(&'a Api);

impl Hold<'_> {
    pub(super) fn release(self) {
        self.0.held.send_replace(Held::None);
    }

    pub(super) fn only(&self, incident: u8) {
        self.0.held.send_replace(Held::One(incident));
    }
}

impl Api {
    pub(super) fn hold_counts(&self) -> Hold<'_> {
        self.held.send_replace(Held::All);
        Hold(self)
    }

    /// Waits until a count is held.
    pub(super) async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Gives all calls this outcome; with `None`, they are executed again.
    pub(super) fn force_outcome(&self, outcome: Option<CallOutcome>) {
        self.state.lock().unwrap().forced = outcome;
    }

    pub(super) fn lose_the_response_to_the_next_count(&self) {
        self.state.lock().unwrap().lose_next_count = true;
    }

    /// As above, and all later calls are refused.
    pub(super) fn lose_the_response_to_the_next_count_and_refuse_later_calls(&self) {
        self.lose_the_response_to_the_next_count();
        self.state.lock().unwrap().after_loss = refused();
    }

    pub(super) fn give_the_next_counts_a_conflict(&self, counts: u32) {
        self.state.lock().unwrap().conflicts = counts;
    }

    pub(super) fn set_create_latency(&self, time: Duration) {
        self.state.lock().unwrap().create_latency = time;
    }

    pub(super) fn set_count_latency(&self, time: Duration) {
        self.state.lock().unwrap().count_latency = time;
    }

    pub(super) fn set_expected_call(&self, time: Duration) {
        self.state.lock().unwrap().expected_call = time;
    }

    pub(super) fn set_expected_wait(&self, time: Duration) {
        self.state.lock().unwrap().expected_wait = time;
    }

    pub(super) fn say_that_rrs_are_inactive(&self) {
        self.state.lock().unwrap().inactive = true;
    }

    pub(super) fn panic_in_the_next_call(&self) {
        self.state.lock().unwrap().panic = true;
    }

    pub(super) fn set_rr_bytes(&self, bytes: usize) {
        self.state.lock().unwrap().rr_bytes = bytes;
    }

    pub(super) fn calls(&self) -> Vec<ApiCall> {
        self.state.lock().unwrap().calls.iter().map(|(_, call)| call.clone()).collect()
    }

    /// The counts that were written, in order.
    pub(super) fn counts(&self) -> Vec<u32> {
        let counts = |call| if let ApiCall::Count { count, .. } = call { Some(count) } else { None };
        self.calls().into_iter().filter_map(counts).collect()
    }

    /// When counts were written, in milliseconds since `start`.
    pub(super) fn counted_at(&self, start: Instant) -> Vec<u128> {
        let state = self.state.lock().unwrap();
        let counts = state.calls.iter().filter(|(_, call)| matches!(call, ApiCall::Count { .. }));
        counts.map(|(at, _)| at.saturating_duration_since(start).as_millis()).collect()
    }

    pub(super) fn reads_of_claims(&self) -> usize {
        self.calls().iter().filter(|call| **call == ApiCall::GetClaim).count()
    }

    async fn pass(&self, call: &ApiCall, fingerprint: Fingerprint) {
        let mut held = self.held.subscribe();
        let is_held = |held: &Held| match held {
            Held::None => false,
            Held::One(incident) => fingerprint == self::fingerprint(*incident),
            Held::All => true,
        };
        let takes = match (call, self.state.lock().unwrap()) {
            (ApiCall::CreateRr { .. }, state) => state.create_latency,
            (ApiCall::Count { .. }, state) => state.count_latency,
            _ => Duration::ZERO,
        };
        if !takes.is_zero() {
            sleep(takes).await;
        }
        if matches!(call, ApiCall::Count { .. }) && is_held(&held.borrow_and_update().clone()) {
            self.reached.notify_one();
            held.wait_for(|held| !is_held(held)).await.unwrap();
        }
    }
}

impl State {
    fn version(&mut self) -> Arc<str> {
        self.versions += 1;
        self.versions.to_string().into()
    }

    fn execute(&mut self, fingerprint: Fingerprint, call: &ApiCall) -> ApiResult {
        match call {
            ApiCall::GetClaim => self.claims.get(&fingerprint).cloned().map_or(ApiResult::Missing, ApiResult::Claim),
            ApiCall::CreateClaim(fields) | ApiCall::UpdateClaim { fields, .. } => self.write_claim(fingerprint, fields),
            ApiCall::GetRr { .. } => self.rrs.get(&fingerprint).cloned().map_or(ApiResult::Missing, ApiResult::Rr),
            ApiCall::CreateRr { name, .. } => {
                let version = self.version();
                let rr = Rr {
                    name: Arc::clone(name),
                    uid: "u".into(),
                    version,
                    fingerprint_matches: true,
                    creator: ME.into(),
                    count: 0,
                    phase: Phase::Active,
                    first_seen_ms: None,
                    last_seen_ms: None,
                    signals: Default::default(),
                };
                self.rrs.insert(fingerprint, rr.clone());
                ApiResult::Rr(rr)
            }
            ApiCall::Count { .. } if self.conflicts > 0 => {
                self.conflicts -= 1;
                let version = self.version();
                self.rrs.entry(fingerprint).and_modify(|rr| rr.version = version);
                ApiResult::Conflict
            }
            ApiCall::Count { rr, count } => {
                let counted = Rr { count: *count, version: self.version(), ..rr.clone() };
                self.rrs.insert(fingerprint, counted.clone());
                if !std::mem::take(&mut self.lose_next_count) {
                    return ApiResult::Rr(counted);
                }
                self.forced = self.after_loss.take();
                ApiResult::Unknown
            }
            ApiCall::FindRr { .. } => ApiResult::Missing,
            ApiCall::DeleteRr { .. } | ApiCall::DeleteClaim { .. } => ApiResult::Deleted,
        }
    }

    fn write_claim(&mut self, fingerprint: Fingerprint, fields: &ClaimFields) -> ApiResult {
        let claim = Claim { uid: "c".into(), version: self.version(), fields: fields.clone() };
        self.claims.insert(fingerprint, claim.clone());
        ApiResult::Claim(claim)
    }
}

impl Execute for Api {
    async fn execute(&self, call: &ApiCall, context: &Context) -> CallOutcome {
        if let ApiCall::Count { rr, count } = call {
            assert_eq!(context.by_name.total(), u64::from(count - rr.count), "the names are those of the batch");
        }
        self.state.lock().unwrap().calls.push((Instant::now(), call.clone()));
        self.pass(call, context.fingerprint).await;
        let mut state = self.state.lock().unwrap();
        state.with_spec = context.spec.is_some();
        if std::mem::take(&mut state.panic) {
            drop(state);
            panic!("as the test asked");
        }
        if let Some(outcome) = &state.forced {
            return outcome.clone();
        }
        match state.execute(context.fingerprint, call) {
            ApiResult::Unknown => CallOutcome::unknown(CallFailure::Connection { reason: "cut".into() }),
            result => CallOutcome { bytes: state.rr_bytes, ..CallOutcome::definite(result) },
        }
    }

    fn is_known_inactive(&self, _: Fingerprint, _: &str) -> bool {
        self.state.lock().unwrap().inactive
    }

    fn expected(&self) -> Expected {
        let state = self.state.lock().unwrap();
        Expected { call: state.expected_call, wait: state.expected_wait }
    }
}

/// Incident tasks over a scripted API server.
pub(super) struct Rig {
    pub(super) api: Arc<Api>,
    tasks: Arc<IncidentTasks<Arc<Api>>>,
    metrics: Arc<Metrics>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let held = watch::Sender::new(Held::None);
        let api = Arc::new(Api { state: Mutex::default(), held, reached: Notify::new() });
        let metrics = Arc::new(Metrics::new());
        let mut settings = Settings {
            namespace: "incidents".into(),
            identity: ME.into(),
            deadline: DEADLINE,
            max_incidents: 100,
            max_queue_per_incident: 100,
            incident_idle: IDLE,
            count_interval: INTERVAL,
            max_bytes_per_second: 1_000_000,
            takeover_after: Duration::from_secs(1),
        };
        change(&mut settings);
        let tasks = Arc::new(IncidentTasks::new(Arc::clone(&api), settings, Arc::clone(&metrics)));
        Self { api, tasks, metrics }
    }

    pub(super) fn tasks(&self) -> Arc<IncidentTasks<Arc<Api>>> {
        Arc::clone(&self.tasks)
    }

    pub(super) fn submit(&self, incident: u8, signals: u32) -> JoinHandle<Result<Counted, SubmitError>> {
        self.submit_for(incident, signals, DEADLINE)
    }

    pub(super) fn submit_for(
        &self,
        incident: u8,
        signals: u32,
        patience: Duration,
    ) -> JoinHandle<Result<Counted, SubmitError>> {
        self.submit_telling(incident, signals, patience, None)
    }

    pub(super) fn submit_telling(
        &self,
        incident: u8,
        signals: u32,
        patience: Duration,
        when_counted: Option<WhenCounted>,
    ) -> JoinHandle<Result<Counted, SubmitError>> {
        let mut by_name = SignalList::default();
        (0..signals).for_each(|_| by_name.add("PodDown", "warning", Timestamp::now()));
        let submission = Submission {
            fingerprint: fingerprint(incident),
            source: Source::Prometheus,
            signals: signals.try_into().unwrap(),
            by_name,
            received: Timestamp::now(),
            deadline: Instant::now() + patience,
            spec: Arc::new(|| panic!("the script never writes a spec")),
            target: Default::default(),
            log: LogContext::default(),
            provenance: Default::default(),
            namespace: "".into(),
            when_counted,
        };
        let tasks = self.tasks();
        tokio::spawn(async move { tasks.submit(submission).await })
    }

    /// Runs every task until it waits for something.
    pub(super) async fn run_until_idle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    /// The value of a metric without labels.
    pub(super) fn metric(&self, name: &str) -> u32 {
        let text = self.metrics.render().unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }
}
