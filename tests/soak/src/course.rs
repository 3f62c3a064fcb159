//! The life of one fingerprint: bursts of signals, RRs that are ended, in the middle of a burst or after it, and deleted
//! some time later, as controllers and people do; so that its incident recurs again and again.

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

use super::history::Change;
use super::observer::{Known, Observer};
use super::recorder::Recorder;
use super::sender::{Sender, Signal};

/// How many signals a burst has at most.
const MAX_BURST: u64 = 8;
/// Over how many milliseconds a burst is spread at most.
const MAX_SPREAD_MS: u64 = 40;
/// How many milliseconds an RR may be older when it is ended, or deleted.
const MAX_LINGER_MS: u64 = 40;
/// How many ended RRs of a fingerprint stay at most.
const MAX_ENDED: usize = 3;
/// Signals that a fingerprint has at most; so many numbers are its own.
const NUMBERS: u64 = 1_000_000;
/// How long the watch may be behind.
const WATCH_LIMIT: Duration = Duration::from_secs(30);
/// How often a write of the controller is tried.
const MAX_TRIES: u32 = 5;

const MIDWAY: [&str; 3] = ["Processing", "Analyzing", "Executing"];
const TERMINAL: [&str; 5] = ["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"];

/// What all courses work with.
pub(super) struct World {
    pub(super) sender: Sender,
    pub(super) observer: Observer,
    pub(super) recorder: Arc<Recorder>,
    pub(super) rrs: Api<Rr>,
}

impl World {
    fn has_reached(&self, goal: Goal) -> bool {
        self.observer.look(|seen| seen.incidents) >= goal.incidents && self.recorder.faults() >= goal.faults
    }
}

/// When a soak has seen enough. Faults count as incidents do: how many of either a second brings depends on the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// RRs that have ended.
    pub(super) incidents: u64,
    /// Faults that hit something.
    pub(super) faults: u64,
}

/// One fingerprint.
pub(super) struct Course {
    world: Arc<World>,
    incident: Incident,
    fingerprint: String,
    rng: StdRng,
    /// The number of its next signal.
    next: u64,
    /// Its RRs that have ended and are still there, the oldest first.
    ended: VecDeque<Known>,
    /// The uids of all that it has ended. The watch is late, and what has ended must never become active again.
    over: HashSet<String>,
}

impl Course {
    /// The `place`-th fingerprint; all its decisions come from `seed`.
    pub(super) fn new(world: Arc<World>, place: u64, incident: Incident, seed: u64) -> Self {
        let fingerprint = incident.fingerprint().to_string();
        let rng = StdRng::seed_from_u64(seed);
        Self { world, incident, fingerprint, rng, next: place * NUMBERS, ended: VecDeque::new(), over: HashSet::new() }
    }

    /// Goes on until all fingerprints together have reached the goal.
    pub(super) async fn run(mut self, goal: Goal) -> Result<Self> {
        while !self.world.has_reached(goal) {
            self.burst().await?;
        }
        Ok(self)
    }

    /// One last signal; the verdict wants it acknowledged.
    pub(super) async fn last(mut self) -> Option<String> {
        let signal = self.signal(0);
        self.world.sender.send(signal).await
    }

    async fn burst(&mut self) -> Result<()> {
        let (signals, spread) = (self.rng.random_range(1..=MAX_BURST), self.rng.random_range(0..=MAX_SPREAD_MS));
        let mut burst = JoinSet::new();
        for _ in 0..signals {
            let (world, signal) = (Arc::clone(&self.world), self.signal(spread));
            burst.spawn(async move { world.sender.send(signal).await });
        }
        if self.rng.random_bool(0.4) {
            self.end_in_the_middle(&mut burst).await?;
        }
        let names: Vec<String> = burst.join_all().await.into_iter().flatten().collect();
        let (world, fingerprint) = (Arc::clone(&self.world), self.fingerprint.clone());
        // Each has been seen by now, or is about to be.
        world.observer.until(WATCH_LIMIT, |seen| names.iter().all(|name| seen.has_had(&fingerprint, name))).await?;
        self.end().await?;
        self.delete().await
    }

    /// As soon as the burst has an RR, or is over.
    async fn end_in_the_middle(&mut self, burst: &mut JoinSet<Option<String>>) -> Result<()> {
        let begun = |seen: &super::observer::Seen| seen.active(&self.fingerprint).next().is_some();
        tokio::select! {
            begun = self.world.observer.until(WATCH_LIMIT, begun) => begun?,
            // One of them is answered before the watch shows its RR.
            _ = burst.join_next() => {}
        }
        self.linger().await;
        self.end().await
    }

    /// Ends all active RRs of the fingerprint, with or without a count.
    async fn end(&mut self) -> Result<()> {
        let active: Vec<Known> = self.world.observer.look(|seen| seen.active(&self.fingerprint).cloned().collect());
        for rr in active {
            if self.over.contains(&rr.uid) {
                continue;
            }
            if self.rng.random_bool(0.3) {
                let phase = MIDWAY[self.rng.random_range(0..MIDWAY.len())];
                self.patch(&rr, phase).await?;
                self.linger().await;
            }
            let phase = TERMINAL[self.rng.random_range(0..TERMINAL.len())];
            let start = self.world.recorder.now();
            if self.patch(&rr, phase).await? {
                let end = self.world.recorder.now();
                self.world.recorder.change(Change { start, end, uid: rr.uid.clone(), deleted: false });
                self.over.insert(rr.uid.clone());
                self.ended.push_back(rr);
            }
        }
        Ok(())
    }

    /// Deletes some of what has ended: most at once, or as soon as too many are there.
    async fn delete(&mut self) -> Result<()> {
        while self.ended.len() > MAX_ENDED || (!self.ended.is_empty() && self.rng.random_bool(0.6)) {
            self.linger().await;
            let Some(rr) = self.ended.pop_front() else { break };
            let preconditions = Preconditions { uid: Some(rr.uid.clone()), resource_version: None };
            let delete = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            let start = self.world.recorder.now();
            let rrs = &self.world.rrs;
            if tried(async || rrs.delete(&rr.name, &delete).await.map(drop)).await? {
                let end = self.world.recorder.now();
                self.world.recorder.change(Change { start, end, uid: rr.uid, deleted: true });
            }
        }
        Ok(())
    }

    /// Writes a phase, as a controller does: whatever else has changed meanwhile. Whether the RR was still there.
    async fn patch(&self, rr: &Known, phase: &str) -> Result<bool> {
        // The uid makes sure that it is no other RR of the same name that is ended.
        let status: Value = json!({ "metadata": { "uid": rr.uid }, "status": { "overallPhase": phase } });
        let (patch, params) = (Patch::Merge(status), PatchParams::default());
        let rrs = &self.world.rrs;
        tried(async || rrs.patch_status(&rr.name, &params, &patch).await.map(drop)).await
    }

    async fn linger(&mut self) {
        sleep(Duration::from_millis(self.rng.random_range(0..=MAX_LINGER_MS))).await;
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

/// Makes a call of the controller until its outcome is known; false where the RR is gone, or another has its name.
async fn tried(call: impl AsyncFn() -> Result<(), Error>) -> Result<bool> {
    let mut tries = 0;
    loop {
        match call().await {
            Ok(()) => return Ok(true),
            Err(Error::Api(status)) if status.is_not_found() || status.is_conflict() => return Ok(false),
            Err(error) => {
                tries += 1;
                if tries == MAX_TRIES {
                    return Err(error).context("the controller cannot end or delete an RR");
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
