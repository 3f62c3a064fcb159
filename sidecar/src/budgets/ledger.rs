//! What the budgets have admitted: new incidents that the index does not show yet, and each sender's of the last minute.
//!
//! Pure: the caller passes the time and what the index knows.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use onceway_signal::Fingerprint;
use tokio::time::Instant;

use crate::metrics::{BUDGETS, BudgetUse};

/// The keys of the budgets in the configuration.
const ACTIVE: &str = BUDGETS[0];
const ACTIVE_PER_NAMESPACE: &str = BUDGETS[1];
const NEW_PER_MINUTE: &str = BUDGETS[2];

/// How long an admitted incident counts without being in the index: longer than a watch in sync lags.
const INDEX_LAG: Duration = Duration::from_secs(10);
/// The time over which a sender's new incidents are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Senders that are remembered. The one that was silent longest is forgotten first.
const MAX_SENDERS: NonZeroUsize = match NonZeroUsize::new(1024) {
    Some(senders) => senders,
    None => NonZeroUsize::MIN,
};
/// Admitted incidents that are looked up in the index at each admission: more than one, so that their number shrinks.
const LOOKUPS: usize = 4;

/// The limits of new incidents; 0: no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) active: usize,
    pub(super) active_per_namespace: usize,
    pub(super) new_per_minute: usize,
}

/// A new incident that asks for admission.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) fingerprint: Fingerprint,
    /// The target's namespace; empty: none.
    pub(super) namespace: Arc<str>,
    /// The sender's user name; empty without authentication.
    pub(super) sender: Arc<str>,
}

/// What the index knows.
pub(super) trait Known {
    /// Whether the incident has an active RR.
    fn is_active(&self, fingerprint: Fingerprint) -> bool;
    /// The incidents with an active RR.
    fn active(&self) -> usize;
    /// Those with a target in this namespace.
    fn active_in(&self, namespace: &str) -> usize;
    /// Those of each namespace.
    fn by_namespace(&self) -> HashMap<Arc<str>, usize>;
}

/// A budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exceeded {
    /// Its key in the configuration.
    pub(super) limit: &'static str,
    /// When to send again.
    pub(super) retry_after: Duration,
}

/// When an incident ends is unknown: this only bounds the rate of retries.
const RETRY_ACTIVE: Duration = Duration::from_secs(30);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Ledger {
    budget: Budget,
    admitted: HashMap<Fingerprint, Admitted>,
    /// The same, in turn. An incident may be here twice: then the older entry is void.
    order: VecDeque<(Instant, Fingerprint)>,
    namespaces: HashMap<Arc<str>, usize>,
    senders: LruCache<Arc<str>, VecDeque<Instant>>,
}

/// An admitted incident that the index does not show yet.
#[derive(Debug)]
struct Admitted {
    since: Instant,
    namespace: Arc<str>,
    sender: Arc<str>,
    /// Its submissions without a result.
    waiting: usize,
    /// Whether one of them has created an RR, or may have.
    created: bool,
    /// Whether one of them was refused.
    refused: bool,
}

/// How an admitted submission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is an RR that was not there before, or may be.
    Created,
    /// It created nothing.
    Nothing,
    /// The API server refused it after its claim was written: it is not active, and counts as a new incident of its sender,
    /// because each costs a Lease.
    Refused,
}

impl Ledger {
    pub(super) fn new(budget: Budget) -> Self {
        Self {
            budget,
            admitted: HashMap::new(),
            order: VecDeque::new(),
            namespaces: HashMap::new(),
            senders: LruCache::new(MAX_SENDERS),
        }
    }

    /// Admits a submission of an incident that the index does not know. [`Self::end`] must follow.
    ///
    /// # Errors
    /// The budget that is used up.
    pub(super) fn admit(&mut self, request: &Request, known: &impl Known, now: Instant) -> Result<(), Exceeded> {
        self.settle(LOOKUPS, known, now);
        if let Some(admitted) = self.admitted.get_mut(&request.fingerprint) {
            admitted.waiting += 1;
            return Ok(());
        }
        if let Err(exceeded) = self.check_active(request, known) {
            // Perhaps the index shows most of them by now.
            self.settle(usize::MAX, known, now);
            self.check_active(request, known).map_err(|_| exceeded)?;
        }
        self.start(&request.sender, now)?;
        *self.namespaces.entry(Arc::clone(&request.namespace)).or_default() += 1;
        self.order.push_back((now, request.fingerprint));
        let Request { fingerprint, namespace, sender } = request.clone();
        self.admitted.insert(
            fingerprint,
            Admitted { since: now, namespace, sender, waiting: 1, created: false, refused: false },
        );
        Ok(())
    }

    /// An admitted submission has ended.
    pub(super) fn end(&mut self, fingerprint: Fingerprint, ended: Ended) {
        let Some(admitted) = self.admitted.get_mut(&fingerprint) else { return };
        admitted.waiting = admitted.waiting.saturating_sub(1);
        admitted.created |= ended == Ended::Created;
        admitted.refused |= ended == Ended::Refused;
        if admitted.waiting == 0 && !admitted.created {
            let (sender, is_refunded) = (Arc::clone(&admitted.sender), !admitted.refused);
            self.remove(fingerprint);
            if is_refunded && let Some(started) = self.senders.peek_mut(&sender) {
                started.pop_back();
            }
        }
    }

    fn check_active(&self, request: &Request, known: &impl Known) -> Result<(), Exceeded> {
        let exceeded = |limit| Err(Exceeded { limit, retry_after: RETRY_ACTIVE });
        let Budget { active, active_per_namespace, .. } = self.budget;
        if active > 0 && known.active() + self.admitted.len() >= active {
            return exceeded(ACTIVE);
        }
        let admitted = self.namespaces.get(&request.namespace).copied().unwrap_or_default();
        if active_per_namespace > 0 && known.active_in(&request.namespace) + admitted >= active_per_namespace {
            return exceeded(ACTIVE_PER_NAMESPACE);
        }
        Ok(())
    }

    /// How much of each budget is used.
    pub(super) fn usage(&mut self, known: &impl Known, now: Instant) -> [BudgetUse; 3] {
        self.settle(usize::MAX, known, now);
        let mut namespaces = known.by_namespace();
        for (namespace, admitted) in &self.namespaces {
            *namespaces.entry(Arc::clone(namespace)).or_default() += admitted;
        }
        let is_recent = |start: &&Instant| now.duration_since(**start) < WINDOW;
        let started = self.senders.iter().map(|(_, started)| started.iter().filter(is_recent).count());
        let limited = |most: usize| (most > 0).then_some(most);
        let Budget { active, active_per_namespace, new_per_minute } = self.budget;
        [
            BudgetUse { limit: ACTIVE, used: known.active() + self.admitted.len(), of: limited(active) },
            BudgetUse {
                limit: ACTIVE_PER_NAMESPACE,
                used: namespaces.into_values().max().unwrap_or_default(),
                of: limited(active_per_namespace),
            },
            BudgetUse { limit: NEW_PER_MINUTE, used: started.max().unwrap_or_default(), of: limited(new_per_minute) },
        ]
    }

    /// Counts a new incident of the sender.
    fn start(&mut self, sender: &Arc<str>, now: Instant) -> Result<(), Exceeded> {
        let most = self.budget.new_per_minute;
        if most == 0 {
            return Ok(());
        }
        let started = self.senders.get_or_insert_mut(Arc::clone(sender), VecDeque::new);
        while started.front().is_some_and(|start| now.duration_since(*start) >= WINDOW) {
            started.pop_front();
        }
        match started.front() {
            Some(first) if started.len() >= most => {
                let retry_after = WINDOW.saturating_sub(now.duration_since(*first));
                Err(Exceeded { limit: NEW_PER_MINUTE, retry_after })
            }
            _ => {
                started.push_back(now);
                Ok(())
            }
        }
    }

    /// Forgets admitted incidents that the index shows, and those that it should have shown, among the next `lookups`.
    fn settle(&mut self, lookups: usize, known: &impl Known, now: Instant) {
        for _ in 0..lookups.min(self.order.len()) {
            let Some((since, fingerprint)) = self.order.pop_front() else { return };
            let Some(admitted) = self.admitted.get(&fingerprint).filter(|admitted| admitted.since == since) else {
                continue;
            };
            let is_late = now.duration_since(since) >= INDEX_LAG && admitted.waiting == 0;
            if is_late || known.is_active(fingerprint) {
                self.remove(fingerprint);
            } else {
                self.order.push_back((since, fingerprint));
            }
        }
    }

    fn remove(&mut self, fingerprint: Fingerprint) {
        let Some(admitted) = self.admitted.remove(&fingerprint) else { return };
        if let Some(number) = self.namespaces.get_mut(&admitted.namespace) {
            *number = number.saturating_sub(1);
            if *number == 0 {
                self.namespaces.remove(&admitted.namespace);
            }
        }
    }
}

#[cfg(test)]
mod tests;
