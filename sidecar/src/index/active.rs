//! The active RRs: of each incident, and their number in each namespace.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use onceway_signal::Fingerprint;
use tokio::time::Instant;

use super::observed::Observed;

/// What the index keeps of an active RR. Kept small: a namespace may hold 100,000 of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveRr {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// The namespace of its target; empty: none.
    pub namespace: Arc<str>,
    /// `metadata.creationTimestamp` in Unix seconds.
    pub created_s: i64,
    /// The version of the claim under which a sidecar created it.
    pub claim_version: Option<u64>,
    /// Since when this replica has known it as a possible late create ([`Observed::may_be_late_create`]).
    pub uncounted_since: Option<Instant>,
}

/// The active RRs by fingerprint.
#[derive(Debug, Default)]
pub(super) struct ActiveRrs {
    incidents: HashMap<Fingerprint, Vec<ActiveRr>>,
    /// The number of active RRs by the namespace of their target.
    namespaces: HashMap<Arc<str>, usize>,
}

impl ActiveRrs {
    /// The number of incidents.
    pub(super) fn len(&self) -> usize {
        self.incidents.len()
    }

    /// The active RRs of an incident, the oldest first.
    pub(super) fn of(&self, fingerprint: Fingerprint) -> &[ActiveRr] {
        self.incidents.get(&fingerprint).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn find(&self, fingerprint: Fingerprint, name: &str) -> Option<&ActiveRr> {
        self.of(fingerprint).iter().find(|rr| *rr.name == *name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Fingerprint, &[ActiveRr])> {
        self.incidents.iter().map(|(fingerprint, rrs)| (*fingerprint, rrs.as_slice()))
    }

    /// The number of active RRs with a target in this namespace.
    pub(super) fn active_in(&self, namespace: &str) -> usize {
        self.namespaces.get(namespace).copied().unwrap_or_default()
    }

    /// The number of active RRs by the namespace of their target.
    pub(super) fn by_namespace(&self) -> &HashMap<Arc<str>, usize> {
        &self.namespaces
    }

    /// Adds, replaces or removes the RR. Returns whether it was added to an incident that has other active RRs.
    pub(super) fn upsert(&mut self, observed: &Observed, uncounted_since: Option<Instant>) -> bool {
        let Some(fingerprint) = observed.fingerprint.filter(|_| observed.active) else {
            self.remove(observed);
            return false;
        };
        let before = self.of(fingerprint).len();
        let since = uncounted_since.or_else(|| self.find(fingerprint, &observed.name)?.uncounted_since);
        self.remove(observed);
        let namespace = self.enter(&observed.namespace);
        // Nearly every incident has one RR. An empty vector would allocate room for four at the first push: 12 MiB wasted
        // for 100,000 incidents.
        let rrs = self.incidents.entry(fingerprint).or_insert_with(|| Vec::with_capacity(1));
        rrs.push(ActiveRr {
            name: Arc::clone(&observed.name),
            namespace,
            created_s: observed.created_s,
            claim_version: observed.claim_version,
            uncounted_since: observed.may_be_late_create().then(|| since.unwrap_or_else(Instant::now)),
        });
        // By age, then by name: the same order in every replica.
        rrs.sort_by(|a, b| (a.created_s, &a.name).cmp(&(b.created_s, &b.name)));
        rrs.len() > before.max(1)
    }

    /// Removes the RR. Returns whether it was there.
    pub(super) fn remove(&mut self, observed: &Observed) -> bool {
        let Some(fingerprint) = observed.fingerprint else { return false };
        let Slot::Occupied(mut slot) = self.incidents.entry(fingerprint) else { return false };
        let Some(place) = slot.get().iter().position(|rr| rr.name == observed.name) else { return false };
        let removed = slot.get_mut().remove(place);
        if slot.get().is_empty() {
            slot.remove();
        }
        self.leave(&removed.namespace);
        true
    }

    /// The number of RRs of an incident for which memory is allocated.
    #[cfg(test)]
    pub(super) fn room(&self, fingerprint: Fingerprint) -> usize {
        self.incidents.get(&fingerprint).map_or(0, Vec::capacity)
    }

    /// Counts an RR in its namespace; returns the namespace, of which there is one copy.
    fn enter(&mut self, namespace: &Arc<str>) -> Arc<str> {
        let known = self.namespaces.get_key_value(namespace).map(|(known, _)| Arc::clone(known));
        let namespace = known.unwrap_or_else(|| Arc::clone(namespace));
        *self.namespaces.entry(Arc::clone(&namespace)).or_default() += 1;
        namespace
    }

    fn leave(&mut self, namespace: &str) {
        let Some(number) = self.namespaces.get_mut(namespace) else { return };
        *number = number.saturating_sub(1);
        if *number == 0 {
            self.namespaces.remove(namespace);
        }
    }
}
