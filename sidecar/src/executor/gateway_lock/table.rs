//! The locks that commits in flight hold. An incident has one commit at a time in a replica, so a fingerprint has at most one
//! entry, and the limit of incidents limits the table.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onceway_signal::Fingerprint;
use tokio::time::Instant;

use super::lease::LockLease;

/// A lock that a commit holds, and what it knows under it.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) lease: LockLease,
    /// When the request that took or renewed it was sent.
    pub(super) since: Instant,
    /// A list under this lock showed that no RR was active, and nobody else could create one since.
    pub(super) none_active: bool,
    /// The RR name that is not to be created, because another RR is active.
    pub(super) given_up: Option<Arc<str>>,
    /// A create was sent that may still take effect.
    pub(super) unsettled: bool,
}

impl Held {
    pub(super) fn new(lease: LockLease, since: Instant) -> Self {
        Self { lease, since, none_active: false, given_up: None, unsettled: false }
    }
}

#[derive(Default)]
pub(super) struct Table(Mutex<HashMap<Fingerprint, Held>>);

impl Table {
    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<Held> {
        self.locked().get(&fingerprint).cloned()
    }

    pub(super) fn put(&self, fingerprint: Fingerprint, held: Held) -> Held {
        self.locked().insert(fingerprint, held.clone());
        held
    }

    pub(super) fn remove(&self, fingerprint: Fingerprint) -> Option<Held> {
        self.locked().remove(&fingerprint)
    }

    pub(super) fn change(&self, fingerprint: Fingerprint, change: impl FnOnce(&mut Held)) {
        if let Some(held) = self.locked().get_mut(&fingerprint) {
            change(held);
        }
    }

    pub(super) fn has_given_up(&self, fingerprint: Fingerprint, name: &Arc<str>) -> bool {
        self.locked().get(&fingerprint).is_some_and(|held| held.given_up.as_ref() == Some(name))
    }

    /// A poisoned lock is usable: no invariant spans two operations.
    fn locked(&self) -> MutexGuard<'_, HashMap<Fingerprint, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
