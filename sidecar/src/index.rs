//! The index: which RRs of each fingerprint are active, kept up to date by one watch per replica.
//!
//! It is late by nature. That it knows of an RR is a hint, to be confirmed by a read; that it knows of none means nothing
//! at all, and the claim alone decides what may be created. It serves adoption, and finds what is to be tidied up.

pub mod observed;
pub mod watch;

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onceway_signal::Fingerprint;
use tokio::sync::Notify;
use tokio::time::Instant;

use self::observed::Observed;

/// What is kept of an active RR, and nothing else of it: a namespace may hold many thousands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.creationTimestamp` in Unix seconds.
    pub created_s: i64,
    /// Since when it has been known as one of ours without a count.
    pub uncounted_since: Option<Instant>,
}

/// What the index says of a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The names of its active RRs, the oldest first.
    Active(Vec<Arc<str>>),
    /// The index cannot tell: its first list is not over, or its watch has failed.
    NotInSync,
}

/// RRs that are remembered to have ended. Beyond it all are forgotten: they save a write, no more.
const MAX_ENDED: usize = 10_000;

/// The active RRs by fingerprint.
#[derive(Debug, Default)]
pub struct Index {
    table: Mutex<Table>,
    duplicated: Notify,
    listed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    incidents: HashMap<Fingerprint, Vec<Known>>,
    /// What a list has brought so far; it replaces `incidents` when it is over.
    listing: HashMap<Fingerprint, Vec<Known>>,
    /// The RR of each fingerprint that was last seen to end or go.
    ended: HashMap<Fingerprint, Arc<str>>,
    in_sync: bool,
}

impl Index {
    /// What is known of the fingerprint.
    pub fn lookup(&self, fingerprint: Fingerprint) -> Lookup {
        let table = self.table();
        if !table.in_sync {
            return Lookup::NotInSync;
        }
        let known = table.incidents.get(&fingerprint).map(Vec::as_slice).unwrap_or_default();
        Lookup::Active(known.iter().map(|known| Arc::clone(&known.name)).collect())
    }

    /// Whether it is known that the RR of this name is active.
    pub fn is_active(&self, fingerprint: Fingerprint, name: &str) -> bool {
        self.table().find(fingerprint, name).is_some()
    }

    /// Whether the RR of this name was seen to end or go.
    pub fn has_ended(&self, fingerprint: Fingerprint, name: &str) -> bool {
        let table = self.table();
        let ended = table.ended.get(&fingerprint).is_some_and(|ended| **ended == *name);
        // A late create may have made it anew.
        ended && table.find(fingerprint, name).is_none()
    }

    /// Fingerprints with more than one active RR, and those, the oldest first.
    pub fn duplicates(&self) -> Vec<(Fingerprint, Vec<Known>)> {
        let table = self.table();
        let several = table.incidents.iter().filter(|(_, known)| known.len() > 1);
        several.map(|(of, known)| (*of, known.clone())).collect()
    }

    /// RRs of ours that have had no count since `limit` or before.
    pub fn uncounted_since(&self, limit: Instant) -> Vec<(Fingerprint, Arc<str>)> {
        let table = self.table();
        let all = table.incidents.iter().flat_map(|(of, known)| known.iter().map(move |known| (of, known)));
        let late = all.filter(|(_, known)| known.uncounted_since.is_some_and(|since| since <= limit));
        late.map(|(of, known)| (*of, Arc::clone(&known.name))).collect()
    }

    /// Returns when a fingerprint has come to have one more active RR than it should since this was last asked.
    pub async fn duplicated(&self) {
        self.duplicated.notified().await;
    }

    /// Returns when a list is over, the first if it is called once. For one who waits.
    pub async fn listed(&self) {
        self.listed.notified().await;
    }

    /// How many fingerprints have an active RR, and whether the index is in sync: for metrics.
    pub fn size(&self) -> (usize, bool) {
        let table = self.table();
        (table.incidents.len(), table.in_sync)
    }

    /// A list begins.
    pub(crate) fn begin_list(&self) {
        let mut table = self.table();
        table.in_sync = false;
        table.listing = HashMap::new();
    }

    /// The list has brought this RR.
    pub(crate) fn list(&self, observed: &Observed) {
        let table = &mut *self.table();
        // An RR that was known without a count goes on being known so.
        let before = observed.fingerprint.and_then(|of| table.find(of, &observed.name));
        let since = before.and_then(|known| known.uncounted_since);
        note(&mut table.listing, observed, since);
    }

    /// The list is over.
    pub(crate) fn end_list(&self) {
        let mut table = self.table();
        table.incidents = std::mem::take(&mut table.listing);
        table.in_sync = true;
        self.listed.notify_one();
        if table.incidents.values().any(|known| known.len() > 1) {
            self.duplicated.notify_one();
        }
    }

    /// The RR is new or has changed.
    pub(crate) fn apply(&self, observed: &Observed) {
        let mut table = self.table();
        if !observed.active {
            table.end(observed);
        } else if note(&mut table.incidents, observed, None) {
            self.duplicated.notify_one();
        }
    }

    /// The RR is gone.
    pub(crate) fn remove(&self, observed: &Observed) {
        self.table().end(observed);
    }

    /// A watch has begun, at the place where the list or the watch before it ended: nothing is missed.
    pub(crate) fn regain_sync(&self) {
        self.table().in_sync = true;
    }

    /// The watch has failed: what happens now is learnt later, or by another list.
    pub(crate) fn lose_sync(&self) {
        self.table().in_sync = false;
    }

    /// The table stays usable whatever a thread that held it did: each operation leaves it whole.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, fingerprint: Fingerprint, name: &str) -> Option<&Known> {
        find(self.incidents.get(&fingerprint)?, name)
    }

    /// The RR has ended or gone.
    fn end(&mut self, observed: &Observed) {
        let Some(of) = observed.fingerprint.filter(|_| forget(&mut self.incidents, observed)) else { return };
        if self.ended.len() >= MAX_ENDED {
            self.ended.clear();
        }
        self.ended.insert(of, Arc::clone(&observed.name));
    }
}

fn find<'a>(known: &'a [Known], name: &str) -> Option<&'a Known> {
    known.iter().find(|known| *known.name == *name)
}

/// Puts the RR as it now is into the incidents. Returns whether it is new there, and not the only one of its fingerprint.
fn note(incidents: &mut HashMap<Fingerprint, Vec<Known>>, observed: &Observed, since: Option<Instant>) -> bool {
    let Some(of) = observed.fingerprint.filter(|_| observed.active) else {
        forget(incidents, observed);
        return false;
    };
    // All but a few have one. A vector that begins with nothing makes room for four with the first: of 100,000 incidents,
    // 12 MiB for nothing.
    let known = incidents.entry(of).or_insert_with(|| Vec::with_capacity(1));
    let before = known.len();
    let since = since.or_else(|| find(known, &observed.name).and_then(|known| known.uncounted_since));
    known.retain(|known| known.name != observed.name);
    known.push(Known {
        name: Arc::clone(&observed.name),
        created_s: observed.created_s,
        uncounted_since: observed.is_active_uncounted_with_creator().then(|| since.unwrap_or_else(Instant::now)),
    });
    // By age; names decide within a second, in the same way in every replica.
    known.sort_by(|a, b| (a.created_s, &a.name).cmp(&(b.created_s, &b.name)));
    known.len() > before.max(1)
}

/// Takes the RR out of the incidents. Returns whether it was there.
fn forget(incidents: &mut HashMap<Fingerprint, Vec<Known>>, observed: &Observed) -> bool {
    let Some(of) = observed.fingerprint else { return false };
    let Slot::Occupied(mut slot) = incidents.entry(of) else { return false };
    let was_there = find(slot.get(), &observed.name).is_some();
    slot.get_mut().retain(|known| known.name != observed.name);
    if slot.get().is_empty() {
        slot.remove();
    }
    was_there
}

#[cfg(test)]
mod tests;
