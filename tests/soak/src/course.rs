//! The workload of one fingerprint: bursts of signals, and RRs that become terminal during or after a burst and are
//! deleted later, as controllers and users do. So its incident recurs.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::params::Preconditions;
use kube::{Api, Error};
use onceway_kit::payload::Incident;
use onceway_kit::rig::Rr;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::history::ControllerWrite;
use super::observer::{KnownRr, Observer, WatchState};
use super::recorder::Recorder;
use super::sender::{Sender, Signal};

/// The most signals in a burst.
const MAX_BURST: u64 = 8;
/// The longest burst, in milliseconds.
const MAX_SPREAD_MS: u64 = 40;
/// The longest pause before a write to an RR, in milliseconds.
const MAX_PAUSE_MS: u64 = 40;
/// The most terminal RRs of a fingerprint that are kept.
const MAX_TERMINAL: usize = 3;
/// Signal numbers reserved for each fingerprint.
const NUMBERS_PER_FINGERPRINT: u64 = 1_000_000;
/// How long the observer's watch may lag.
const WATCH_LIMIT: Duration = Duration::from_secs(30);
/// The most attempts of a controller's write.
const MAX_TRIES: u32 = 5;

const ACTIVE_PHASES: [&str; 3] = ["Processing", "Analyzing", "Executing"];
const TERMINAL_PHASES: [&str; 5] = ["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"];

/// What all workloads share.
pub(super) struct Environment {
    pub(super) sender: Sender,
    pub(super) observer: Observer,
    pub(super) recorder: Arc<Recorder>,
    pub(super) rrs: Api<Rr>,
}

impl Environment {
    fn has_reached(&self, goal: Goal) -> bool {
        self.observer.read(|state| state.incidents) >= goal.incidents && self.recorder.faults() >= goal.faults
    }
}

/// When a soak is complete. It needs both numbers, because the rates of incidents and of faults depend on the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// Completed incidents.
    pub(super) incidents: u64,
    /// Faults injected into at least one call or process.
    pub(super) faults: u64,
}

/// The workload of one fingerprint.
pub(super) struct Workload {
    environment: Arc<Environment>,
    incident: Incident,
    fingerprint: String,
    rng: StdRng,
    /// The number of the next signal.
    next: u64,
    /// Terminal RRs that still exist, oldest first.
    terminal: VecDeque<KnownRr>,
    /// The uids of all RRs that it ended. The watch lags, so it still shows them as active; another write would reopen
    /// them.
    ended: HashSet<String>,
}

impl Workload {
    /// The `index`-th fingerprint; `seed` determines its decisions.
    pub(super) fn new(environment: Arc<Environment>, index: u64, incident: Incident, seed: u64) -> Self {
        let fingerprint = incident.fingerprint().to_string();
        let rng = StdRng::seed_from_u64(seed);
        Self {
            environment,
            incident,
            fingerprint,
            rng,
            next: index * NUMBERS_PER_FINGERPRINT,
            terminal: VecDeque::new(),
            ended: HashSet::new(),
        }
    }

    /// Runs until all workloads together have reached the goal.
    pub(super) async fn run(mut self, goal: Goal) -> Result<Self> {
        while !self.environment.has_reached(goal) {
            self.burst().await?;
        }
        Ok(self)
    }

    /// Sends one last signal, which the verdict requires to be acknowledged.
    pub(super) async fn send_last(mut self) -> Option<String> {
        let signal = self.signal(0);
        self.environment.sender.send(signal).await
    }

    async fn burst(&mut self) -> Result<()> {
        let (signals, spread) = (self.rng.random_range(1..=MAX_BURST), self.rng.random_range(0..=MAX_SPREAD_MS));
        let mut burst = JoinSet::new();
        for _ in 0..signals {
            let (environment, signal) = (Arc::clone(&self.environment), self.signal(spread));
            burst.spawn(async move { environment.sender.send(signal).await });
        }
        if self.rng.random_bool(0.4) {
            self.end_during_burst(&mut burst).await?;
        }
        let names: Vec<String> = burst.join_all().await.into_iter().flatten().collect();
        let (environment, fingerprint) = (Arc::clone(&self.environment), self.fingerprint.clone());
        // The watch lags the responses.
        environment
            .observer
            .wait_until(WATCH_LIMIT, |state| names.iter().all(|name| state.has_had(&fingerprint, name)))
            .await?;
        self.end().await?;
        self.delete().await
    }

    /// Ends the RR soon after the burst created it.
    async fn end_during_burst(&mut self, burst: &mut JoinSet<Option<String>>) -> Result<()> {
        let created = |state: &WatchState| state.active(&self.fingerprint).next().is_some();
        tokio::select! {
            created = self.environment.observer.wait_until(WATCH_LIMIT, created) => created?,
            // A response may arrive before the watch shows the RR.
            _ = burst.join_next() => {}
        }
        self.pause().await;
        self.end().await
    }

    /// Makes all active RRs of the fingerprint terminal, with or without a count.
    async fn end(&mut self) -> Result<()> {
        let active: Vec<KnownRr> =
            self.environment.observer.read(|state| state.active(&self.fingerprint).cloned().collect());
        for rr in active {
            if self.ended.contains(&rr.uid) {
                continue;
            }
            if self.rng.random_bool(0.3) {
                let phase = ACTIVE_PHASES[self.rng.random_range(0..ACTIVE_PHASES.len())];
                self.patch(&rr, phase).await?;
                self.pause().await;
            }
            let phase = TERMINAL_PHASES[self.rng.random_range(0..TERMINAL_PHASES.len())];
            let start = self.environment.recorder.now();
            if self.patch(&rr, phase).await? {
                let end = self.environment.recorder.now();
                self.environment.recorder.write(ControllerWrite { start, end, uid: rr.uid.clone(), deleted: false });
                self.ended.insert(rr.uid.clone());
                self.terminal.push_back(rr);
            }
        }
        Ok(())
    }

    /// Deletes terminal RRs, oldest first: all beyond the limit, then each next one with a probability of 0.6.
    async fn delete(&mut self) -> Result<()> {
        while self.terminal.len() > MAX_TERMINAL || (!self.terminal.is_empty() && self.rng.random_bool(0.6)) {
            self.pause().await;
            let Some(rr) = self.terminal.pop_front() else { break };
            let preconditions = Preconditions { uid: Some(rr.uid.clone()), resource_version: None };
            let delete = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            let start = self.environment.recorder.now();
            let rrs = &self.environment.rrs;
            if retry(async || rrs.delete(&rr.name, &delete).await.map(drop)).await? {
                let end = self.environment.recorder.now();
                self.environment.recorder.write(ControllerWrite { start, end, uid: rr.uid, deleted: true });
            }
        }
        Ok(())
    }

    /// Writes a phase without a resourceVersion, as a controller does. Returns whether the RR still existed.
    async fn patch(&self, rr: &KnownRr, phase: &str) -> Result<bool> {
        // The uid protects another RR of the same name.
        let status: Value = json!({ "metadata": { "uid": rr.uid }, "status": { "overallPhase": phase } });
        let (patch, params) = (Patch::Merge(status), PatchParams::default());
        let rrs = &self.environment.rrs;
        retry(async || rrs.patch_status(&rr.name, &params, &patch).await.map(drop)).await
    }

    async fn pause(&mut self) {
        sleep(Duration::from_millis(self.rng.random_range(0..=MAX_PAUSE_MS))).await;
    }

    fn signal(&mut self, spread_ms: u64) -> Signal {
        let number = self.next;
        self.next += 1;
        Signal {
            number,
            incident: self.incident.clone(),
            fingerprint: self.fingerprint.clone(),
            seed: self.rng.random(),
            pause: Duration::from_millis(self.rng.random_range(0..=spread_ms)),
        }
    }
}

/// Retries a controller's call until its result is known. Returns false if the RR is gone or another RR has its name.
async fn retry(call: impl AsyncFn() -> Result<(), Error>) -> Result<bool> {
    let mut tries = 0;
    loop {
        match call().await {
            Ok(()) => return Ok(true),
            Err(Error::Api(status)) if status.is_not_found() || status.is_conflict() => return Ok(false),
            Err(error) => {
                tries += 1;
                if tries == MAX_TRIES {
                    return Err(error).context("the soak's controller cannot end or delete an RR");
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
