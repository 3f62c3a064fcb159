//! The target of the RR that a batch may create.

use std::sync::{Arc, OnceLock};

use super::lookup::{Lookup, Workloads};
use super::named::Named;

/// What a signal names, and what is found for it: looked for at most once. Clones share it, so that a create which is repeated
/// after a lost response is the same, as an RR's immutable spec demands.
#[derive(Clone, Debug, Default)]
pub struct NewTarget {
    named: Arc<Named>,
    lookup: Arc<OnceLock<Lookup>>,
}

impl NewTarget {
    /// The target of a signal that names this.
    pub fn new(named: Named) -> Self {
        Self { named: Arc::new(named), lookup: Arc::default() }
    }

    /// What the signal names.
    pub fn named(&self) -> &Arc<Named> {
        &self.named
    }

    /// Takes over a lookup of the same target. Without effect if there is one already.
    pub fn set(&self, lookup: Lookup) {
        let _ = self.lookup.set(lookup);
    }

    /// Begins the lookup, if it has not begun.
    pub fn begin(&self, workloads: &Workloads) {
        drop(self.find(workloads));
    }

    /// What is found; the first call begins the lookup.
    pub fn find(&self, workloads: &Workloads) -> Lookup {
        self.lookup.get_or_init(|| workloads.lookup(Arc::clone(&self.named))).clone()
    }
}
