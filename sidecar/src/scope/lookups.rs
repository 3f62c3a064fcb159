//! One lookup for all signals of an incident that arrive together: a storm's first signals, before its RR is known, and the
//! signals of an incident that is rejected again and again.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use onceway_signal::Fingerprint;
use tokio::time::Instant;

use crate::workload::Lookup;

/// How long what was found is used. A label that is set meanwhile counts after this time.
const FRESH: Duration = Duration::from_secs(1);
/// Incidents whose lookups are kept; beyond it the least recently used is forgotten, and costs another lookup.
const MAX_LOOKUPS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Lookups by incident.
pub(super) struct Lookups(Mutex<LruCache<Fingerprint, (Instant, Lookup)>>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_LOOKUPS)))
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}

impl Lookups {
    /// The incident's lookup, if it began just now; else `begin` begins one.
    pub(super) fn get(&self, fingerprint: Fingerprint, begin: impl FnOnce() -> Lookup) -> Lookup {
        // Each operation leaves the cache consistent.
        let mut lookups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((begun, lookup)) = lookups.get(&fingerprint)
            && now.duration_since(*begun) < FRESH
        {
            return lookup.clone();
        }
        let lookup = begin();
        lookups.put(fingerprint, (now, lookup.clone()));
        lookup
    }

    /// Forgets all, as time does.
    #[cfg(test)]
    pub(super) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}
