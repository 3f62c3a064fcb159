//! The index: the active RRs of each fingerprint, kept up to date by one watch per replica.
//!
//! It lags behind the API server. An RR in it is a hint that a read must confirm; an RR missing from it means nothing: only
//! the claim decides what may be created. It serves the adoption of other writers' RRs, the budgets, and GC.

mod active;
pub mod observed;
pub mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onceway_signal::Fingerprint;
use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::active::ActiveRr;
use self::active::ActiveRrs;
use self::observed::Observed;

/// What the index knows of a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The names of its active RRs, the oldest first.
    Active(Vec<Arc<str>>),
    /// Nothing: the first list is not complete, or the watch has failed.
    NotInSync,
}

/// Limit of remembered inactive RRs, each of about 150 bytes. At the limit all are forgotten: they only save a call or a wait
/// each.
const MAX_INACTIVE: usize = 50_000;

/// The active RRs by fingerprint.
#[derive(Debug, Default)]
pub struct Index {
    table: Mutex<Table>,
    duplicated: Notify,
    listed: Notify,
}

#[derive(Debug, Default)]
struct Table {
    incidents: ActiveRrs,
    /// The RRs of the list in progress; replaces `incidents` when the list is complete.
    listing: ActiveRrs,
    /// The RR of each fingerprint that was last seen terminal, or to be deleted.
    inactive: HashMap<Fingerprint, Inactive>,
    in_sync: bool,
}

/// An RR that is terminal or deleted.
#[derive(Debug)]
struct Inactive {
    name: Arc<str>,
    /// The version of the claim under which a sidecar created it.
    claim_version: Option<u64>,
}

impl Index {
    /// The active RRs of the fingerprint.
    pub fn lookup(&self, fingerprint: Fingerprint) -> Lookup {
        let table = self.table();
        if !table.in_sync {
            return Lookup::NotInSync;
        }
        let rrs = table.incidents.of(fingerprint);
        Lookup::Active(rrs.iter().map(|rr| Arc::clone(&rr.name)).collect())
    }

    /// Whether the fingerprint has an active RR; `None` if not in sync.
    pub fn has_active(&self, fingerprint: Fingerprint) -> Option<bool> {
        let table = self.table();
        table.in_sync.then(|| !table.incidents.of(fingerprint).is_empty())
    }

    /// Whether the fingerprint is new: it has no active RR, and none was seen that has ended, which might still take signals.
    /// `false` if not in sync.
    pub fn is_new(&self, fingerprint: Fingerprint) -> bool {
        let table = self.table();
        table.in_sync && table.incidents.of(fingerprint).is_empty() && !table.inactive.contains_key(&fingerprint)
    }

    /// Whether the RR of this name is known to be active.
    pub fn is_active(&self, fingerprint: Fingerprint, name: &str) -> bool {
        self.table().find(fingerprint, name).is_some()
    }

    /// Whether an RR of this name that was created under this version of the fingerprint's claim was seen, in any phase.
    pub fn has_seen(&self, fingerprint: Fingerprint, name: &str, claim_version: &str) -> bool {
        // Versions are numbers today. One that is not proves nothing here, which costs a wait.
        let Ok(version) = claim_version.parse() else { return false };
        let table = self.table();
        let active = table.find(fingerprint, name).and_then(|rr| rr.claim_version);
        let inactive = table.inactive.get(&fingerprint).filter(|rr| *rr.name == *name).and_then(|rr| rr.claim_version);
        [active, inactive].contains(&Some(version))
    }

    /// Whether the RR of this name was seen terminal, or to be deleted.
    pub fn is_known_inactive(&self, fingerprint: Fingerprint, name: &str) -> bool {
        let table = self.table();
        let inactive = table.inactive.get(&fingerprint).is_some_and(|inactive| *inactive.name == *name);
        // A late create may have created the name again.
        inactive && table.find(fingerprint, name).is_none()
    }

    /// Fingerprints with more than one active RR, and those RRs, the oldest first.
    pub fn duplicates(&self) -> Vec<(Fingerprint, Vec<ActiveRr>)> {
        let table = self.table();
        let several = table.incidents.iter().filter(|(_, rrs)| rrs.len() > 1);
        several.map(|(fingerprint, rrs)| (fingerprint, rrs.to_vec())).collect()
    }

    /// RRs that have been possible late creates since `limit` or longer.
    pub fn uncounted_since(&self, limit: Instant) -> Vec<(Fingerprint, Arc<str>)> {
        let table = self.table();
        let all = table.incidents.iter().flat_map(|(fingerprint, rrs)| rrs.iter().map(move |rr| (fingerprint, rr)));
        let late = all.filter(|(_, rr)| rr.uncounted_since.is_some_and(|since| since <= limit));
        late.map(|(fingerprint, rr)| (fingerprint, Arc::clone(&rr.name))).collect()
    }

    /// Returns when a fingerprint has got a second (or further) active RR since the last call.
    pub async fn duplicated(&self) {
        self.duplicated.notified().await;
    }

    /// Returns when a list is complete. For a single waiter.
    pub async fn listed(&self) {
        self.listed.notified().await;
    }

    /// The number of fingerprints with an active RR, and whether the index is in sync; for metrics.
    pub fn size(&self) -> (usize, bool) {
        let table = self.table();
        (table.incidents.len(), table.in_sync)
    }

    /// The number of active RRs with a target in this namespace; empty: with a target in none.
    pub fn active_in(&self, namespace: &str) -> usize {
        self.table().incidents.active_in(namespace)
    }

    /// The number of active RRs by the namespace of their target.
    pub fn active_by_namespace(&self) -> HashMap<Arc<str>, usize> {
        self.table().incidents.by_namespace().clone()
    }

    /// A list begins.
    pub(crate) fn begin_list(&self) {
        let mut table = self.table();
        table.in_sync = false;
        table.listing = ActiveRrs::default();
    }

    /// An RR of the list in progress.
    pub(crate) fn list(&self, observed: &Observed) {
        let table = &mut *self.table();
        // A list must not make a possible late create younger.
        let before = observed.fingerprint.and_then(|fingerprint| table.find(fingerprint, &observed.name));
        let since = before.and_then(|rr| rr.uncounted_since);
        if !observed.active {
            table.remember(observed);
        }
        table.listing.upsert(observed, since);
    }

    /// The list is complete.
    pub(crate) fn end_list(&self) {
        let mut table = self.table();
        table.incidents = std::mem::take(&mut table.listing);
        table.in_sync = true;
        self.listed.notify_one();
        if table.incidents.iter().any(|(_, rrs)| rrs.len() > 1) {
            self.duplicated.notify_one();
        }
    }

    /// The RR is new or has changed.
    pub(crate) fn apply(&self, observed: &Observed) {
        let mut table = self.table();
        if !observed.active {
            table.deactivate(observed);
        } else if table.incidents.upsert(observed, None) {
            self.duplicated.notify_one();
        }
    }

    /// The RR is deleted.
    pub(crate) fn remove(&self, observed: &Observed) {
        self.table().deactivate(observed);
    }

    /// A watch has started from the resourceVersion at which the list or the previous watch ended: no event is missed.
    pub(crate) fn regain_sync(&self) {
        self.table().in_sync = true;
    }

    /// The watch has failed: later changes arrive with the next watch or list.
    pub(crate) fn lose_sync(&self) {
        self.table().in_sync = false;
    }

    /// A poisoned lock is usable: each operation leaves the table consistent.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&self, fingerprint: Fingerprint, name: &str) -> Option<&ActiveRr> {
        self.incidents.find(fingerprint, name)
    }

    /// The RR is terminal or deleted.
    fn deactivate(&mut self, observed: &Observed) {
        if self.incidents.remove(observed) {
            self.remember(observed);
        }
    }

    /// Remembers an RR that is terminal or deleted.
    fn remember(&mut self, observed: &Observed) {
        let Some(fingerprint) = observed.fingerprint else { return };
        if self.inactive.len() >= MAX_INACTIVE {
            self.inactive.clear();
        }
        let (name, claim_version) = (Arc::clone(&observed.name), observed.claim_version);
        self.inactive.insert(fingerprint, Inactive { name, claim_version });
    }
}

#[cfg(test)]
mod tests;
