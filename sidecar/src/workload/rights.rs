//! Which kinds the sidecar may read, as far as it knows.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kinds::Kind;

/// The kinds that are known not to be readable: they are not tried. Empty until the rights were reviewed.
#[derive(Debug, Default)]
pub struct ReadRights(Mutex<BTreeSet<&'static str>>);

impl ReadRights {
    /// Whether objects of this kind may be readable.
    pub fn may_read(&self, kind: &Kind) -> bool {
        !self.missing().contains(kind.resource)
    }

    /// The resources that cannot be read. Returns whether that is new.
    pub fn set_missing(&self, resources: BTreeSet<&'static str>) -> bool {
        let mut missing = self.missing();
        let is_new = *missing != resources;
        *missing = resources;
        is_new
    }

    fn missing(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        // A set is never left half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
