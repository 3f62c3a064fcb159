//! The independent observer: one watch of all RRs, directly at the API server, without a fault proxy. It records every
//! version in the API server's order, and gives the workloads the current state.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt, pin_mut};
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use onceway::rr::{CREATOR, is_terminal};
use onceway_kit::rig::{Rr, RrExt};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::history::Event;
use super::recorder::Recorder;

/// How long the watch may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The RRs as of the last event.
#[derive(Default)]
pub(super) struct WatchState {
    /// Existing RRs by fingerprint, oldest first.
    rrs: HashMap<String, Vec<KnownRr>>,
    /// The names of all RRs of each fingerprint, deleted ones included.
    names: HashMap<String, HashSet<String>>,
    /// Whether the initial list is complete.
    started: bool,
    /// Completed incidents: RRs with a count that became terminal.
    pub(super) incidents: u64,
}

/// An existing RR.
#[derive(Clone, Debug)]
pub(super) struct KnownRr {
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) count: u64,
    pub(super) terminal: bool,
}

impl WatchState {
    /// The active RRs of a fingerprint.
    pub(super) fn active(&self, fingerprint: &str) -> impl Iterator<Item = &KnownRr> {
        self.rrs.get(fingerprint).into_iter().flatten().filter(|rr| !rr.terminal)
    }

    /// Whether an RR of this name exists or existed.
    pub(super) fn has_had(&self, fingerprint: &str, name: &str) -> bool {
        self.names.get(fingerprint).is_some_and(|names| names.contains(name))
    }

    /// All existing RRs.
    pub(super) fn all(&self) -> impl Iterator<Item = &KnownRr> {
        self.rrs.values().flatten()
    }

    fn apply(&mut self, event: &Event) {
        self.names.entry(event.fingerprint.clone()).or_default().insert(event.name.clone());
        let of_incident = self.rrs.entry(event.fingerprint.clone()).or_default();
        let before = of_incident.iter().position(|rr| rr.uid == event.uid);
        let was_terminal = before.is_some_and(|index| of_incident[index].terminal);
        if event.count > 0 && !was_terminal && (event.terminal || event.deleted) {
            self.incidents += 1;
        }
        let Event { uid, name, version, count, terminal, .. } = event.clone();
        let now = KnownRr { uid, name, version, count, terminal };
        match before {
            Some(index) if event.deleted => drop(of_incident.remove(index)),
            Some(index) => of_incident[index] = now,
            None if event.deleted => {}
            None => of_incident.push(now),
        }
    }
}

/// The observer; dropping it stops the watch.
pub(super) struct Observer {
    state: Arc<watch::Sender<WatchState>>,
    watching: AbortHandle,
}

impl Observer {
    /// Starts the watch. No RR may exist before: the checker takes the first version of an RR for its first write.
    pub(super) async fn start(rrs: Api<Rr>, recorder: Arc<Recorder>) -> Result<Self> {
        let state = Arc::new(watch::Sender::new(WatchState::default()));
        let watching = tokio::spawn(follow(rrs, recorder, Arc::clone(&state))).abort_handle();
        let observer = Self { state, watching };
        observer.wait_until(START_LIMIT, |state| state.started).await.context("the watch of the RRs did not start")?;
        Ok(observer)
    }

    /// Reads the current state.
    pub(super) fn read<T>(&self, read: impl FnOnce(&WatchState) -> T) -> T {
        read(&self.state.borrow())
    }

    /// Waits until `done` returns true; an error after `limit`.
    pub(super) async fn wait_until(&self, limit: Duration, done: impl Fn(&WatchState) -> bool) -> Result<()> {
        let mut state = self.state.subscribe();
        let waited = timeout(limit, state.wait_for(|state| done(state))).await;
        waited
            .with_context(|| format!("the RRs did not reach the expected state within {limit:?}"))?
            .map(drop)
            .context("the watch of the RRs has stopped")
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn follow(rrs: Api<Rr>, recorder: Arc<Recorder>, state: Arc<watch::Sender<WatchState>>) {
    // An interrupted watch resumes at its last resourceVersion. If that has expired, the watcher lists instead and
    // misses versions; the checker then reports count steps without a matching response. A soak's watch resumes within
    // seconds, the API server keeps versions for minutes.
    let events = watcher(rrs, watcher::Config::default()).default_backoff();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        let (rr, deleted) = match event {
            Ok(watcher::Event::Apply(rr) | watcher::Event::InitApply(rr)) => (rr, false),
            Ok(watcher::Event::Delete(rr)) => (rr, true),
            Ok(watcher::Event::InitDone) => {
                state.send_modify(|state| state.started = true);
                continue;
            }
            Ok(watcher::Event::Init) | Err(_) => continue,
        };
        let event = version_of(&rr, deleted, &recorder);
        recorder.event(event.clone());
        state.send_modify(|state| state.apply(&event));
    }
}

fn version_of(rr: &Rr, deleted: bool, recorder: &Recorder) -> Event {
    let (metadata, phase) = (&rr.metadata, rr.status.as_ref().and_then(|status| status.overall_phase.as_deref()));
    let creator = metadata.annotations.as_ref().and_then(|all| all.get(CREATOR)).cloned();
    Event {
        at: recorder.now(),
        // Opaque by contract, but etcd's revision in practice; the checker requires it to increase.
        version: metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0),
        uid: metadata.uid.clone().unwrap_or_default(),
        name: rr.name().to_owned(),
        fingerprint: rr.spec.signal_fingerprint.clone(),
        creator: creator.unwrap_or_default(),
        count: rr.count(),
        terminal: metadata.deletion_timestamp.is_some() || is_terminal(phase.unwrap_or_default()),
        deleted,
    }
}
