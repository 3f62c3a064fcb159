//! The independent observer: one watch of all RRs at the API server itself, past every fault. It writes down every version
//! in the API server's own order, and tells the senders what there is now.

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

/// How long the watch may take to begin.
const START_LIMIT: Duration = Duration::from_secs(30);

/// What there is now.
#[derive(Default)]
pub(super) struct Seen {
    /// The RRs that are there, by incident, the oldest first.
    rrs: HashMap<String, Vec<Known>>,
    /// The names that RRs of each incident have, or had.
    names: HashMap<String, HashSet<String>>,
    /// Whether the watch has begun.
    begun: bool,
    /// RRs with a count that have ended.
    pub(super) incidents: u64,
}

/// An RR that is there.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) count: u64,
    pub(super) ended: bool,
}

impl Seen {
    /// The RRs of an incident that have not ended.
    pub(super) fn active(&self, fingerprint: &str) -> impl Iterator<Item = &Known> {
        self.rrs.get(fingerprint).into_iter().flatten().filter(|rr| !rr.ended)
    }

    /// Whether there is, or was, an RR of this name.
    pub(super) fn has_had(&self, fingerprint: &str, name: &str) -> bool {
        self.names.get(fingerprint).is_some_and(|names| names.contains(name))
    }

    /// All RRs.
    pub(super) fn all(&self) -> impl Iterator<Item = &Known> {
        self.rrs.values().flatten()
    }

    fn apply(&mut self, event: &Event) {
        self.names.entry(event.fingerprint.clone()).or_default().insert(event.name.clone());
        let of_incident = self.rrs.entry(event.fingerprint.clone()).or_default();
        let before = of_incident.iter().position(|rr| rr.uid == event.uid);
        let had_ended = before.is_some_and(|place| of_incident[place].ended);
        if event.count > 0 && !had_ended && (event.ended || event.deleted) {
            self.incidents += 1;
        }
        let Event { uid, name, version, count, ended, .. } = event.clone();
        let now = Known { uid, name, version, count, ended };
        match before {
            Some(place) if event.deleted => drop(of_incident.remove(place)),
            Some(place) => of_incident[place] = now,
            None if event.deleted => {}
            None => of_incident.push(now),
        }
    }
}

/// The observer; it ends when it is dropped.
pub(super) struct Observer {
    seen: Arc<watch::Sender<Seen>>,
    watching: AbortHandle,
}

impl Observer {
    /// Begins to watch. No RR may be there before it has begun: a first version would be taken for a first write.
    pub(super) async fn start(rrs: Api<Rr>, recorder: Arc<Recorder>) -> Result<Self> {
        let seen = Arc::new(watch::Sender::new(Seen::default()));
        let watching = tokio::spawn(follow(rrs, recorder, Arc::clone(&seen))).abort_handle();
        let observer = Self { seen, watching };
        observer.until(START_LIMIT, |seen| seen.begun).await.context("the watch of the RRs does not begin")?;
        Ok(observer)
    }

    /// Looks at what there is now.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.borrow())
    }

    /// Waits until what there is is as wanted; an error if it is not in time.
    pub(super) async fn until(&self, limit: Duration, wanted: impl Fn(&Seen) -> bool) -> Result<()> {
        let mut seen = self.seen.subscribe();
        let waited = timeout(limit, seen.wait_for(|seen| wanted(seen))).await;
        waited
            .with_context(|| format!("the RRs are not as wanted after {limit:?}"))?
            .map(drop)
            .context("nobody watches")
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn follow(rrs: Api<Rr>, recorder: Arc<Recorder>, seen: Arc<watch::Sender<Seen>>) {
    // A watch that broke off goes on where it was. If the API server has forgotten that place there is a list in its stead:
    // versions are missed then, and the checker finds steps of a count that nobody was told of. It does not happen within
    // the minutes for which the API server remembers.
    let events = watcher(rrs, watcher::Config::default()).default_backoff();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        let (rr, deleted) = match event {
            Ok(watcher::Event::Apply(rr) | watcher::Event::InitApply(rr)) => (rr, false),
            Ok(watcher::Event::Delete(rr)) => (rr, true),
            Ok(watcher::Event::InitDone) => {
                seen.send_modify(|seen| seen.begun = true);
                continue;
            }
            Ok(watcher::Event::Init) | Err(_) => continue,
        };
        let event = version_of(&rr, deleted, &recorder);
        recorder.event(event.clone());
        seen.send_modify(|seen| seen.apply(&event));
    }
}

fn version_of(rr: &Rr, deleted: bool, recorder: &Recorder) -> Event {
    let (metadata, phase) = (&rr.metadata, rr.status.as_ref().and_then(|status| status.overall_phase.as_deref()));
    let creator = metadata.annotations.as_ref().and_then(|all| all.get(CREATOR)).cloned();
    Event {
        at: recorder.now(),
        // Opaque to clients, but etcd's revision in every API server there is; the checker wants them to grow.
        version: metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or(0),
        uid: metadata.uid.clone().unwrap_or_default(),
        name: rr.name().to_owned(),
        fingerprint: rr.spec.signal_fingerprint.clone(),
        creator: creator.unwrap_or_default(),
        count: rr.count(),
        ended: metadata.deletion_timestamp.is_some() || is_terminal(phase.unwrap_or_default()),
        deleted,
    }
}
