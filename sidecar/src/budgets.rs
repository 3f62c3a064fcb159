//! Budgets on repairs: how many incidents may be active, in all and per namespace, and how many new ones a sender may begin
//! in a minute. Each RemediationRequest starts a repair: a faulty sender must not start thousands.
//!
//! An incident with an active RR is never limited: its signals are counted whatever the budgets say. While the index is not
//! in sync nobody can tell which incidents have one, so nothing is limited then. An incident whose RR has ended, but still
//! takes signals (a manual review, a back-off), counts as a new one: the index does not know it.

mod ledger;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use onceway_signal::Fingerprint;
use tokio::time::Instant;
use tracing::warn;

use self::ledger::{Budget, Ended, Known, Ledger, Request};
use crate::config::Limits;
use crate::incident::{Commit, Counted, Drain, Submission, SubmitError};
use crate::index::Index;
use crate::logging::Trouble;
use crate::metrics::Metrics;

/// Commits submissions within the budgets.
pub struct Budgeted<C> {
    commit: C,
    index: Arc<Index>,
    ledger: Arc<Mutex<Ledger>>,
    metrics: Arc<Metrics>,
}

impl<C> Budgeted<C> {
    /// Commits with `commit` what the budgets in `limits` allow.
    pub fn new(commit: C, limits: &Limits, index: Arc<Index>, metrics: Arc<Metrics>) -> Self {
        let budget = Budget {
            active: limits.max_active_incidents,
            active_per_namespace: limits.max_active_incidents_per_namespace,
            new_per_minute: limits.max_new_incidents_per_minute,
        };
        let ledger = Arc::new(Mutex::new(Ledger::new(budget)));
        let (shown, known) = (Arc::clone(&ledger), Arc::clone(&index));
        metrics.budgets.look_at(move || lock(&shown).usage(&*known, Instant::now()).to_vec());
        Self { commit, index, ledger, metrics }
    }

    /// Admits a submission. Returns whether [`Ledger::end`] must follow.
    fn admit(&self, submission: &Submission) -> Result<bool, SubmitError> {
        if self.index.has_active(submission.fingerprint) != Some(false) {
            return Ok(false);
        }
        let request = Request {
            fingerprint: submission.fingerprint,
            namespace: Arc::clone(&submission.namespace),
            sender: submission.provenance.sender.clone().unwrap_or_default(),
        };
        self.ledger().admit(&request, &*self.index, Instant::now()).map(|()| true).map_err(|exceeded| {
            self.metrics.budgets.exceeded(exceeded.limit);
            self.metrics.episodes.hit(Trouble::OverBudget(exceeded.limit));
            warn!(
                event = "budget_exceeded",
                limit = exceeded.limit,
                fingerprint = %request.fingerprint,
                namespace = &*request.namespace,
                sender = &*request.sender,
                "a new incident exceeds a budget; its sender gets 503"
            );
            let retry_after_s = u32::try_from(exceeded.retry_after.as_secs()).unwrap_or(u32::MAX).max(1);
            SubmitError::Overloaded { limit: exceeded.limit, retry_after_s }
        })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    // Each operation leaves the ledger consistent.
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Commit> Commit for Budgeted<C> {
    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let fingerprint = submission.fingerprint;
        if !self.admit(&submission)? {
            return self.commit.submit(submission).await;
        }
        let mut admission = Admission { budgeted: self, fingerprint, ended: Ended::Created };
        let result = self.commit.submit(submission).await;
        admission.ended = match &result {
            Ok(counted) if !counted.created => Ended::Nothing,
            Err(SubmitError::Overloaded { .. } | SubmitError::Draining) => Ended::Nothing,
            Err(SubmitError::Refused { .. } | SubmitError::Denied { .. }) => Ended::Refused,
            Ok(_) | Err(_) => Ended::Created,
        };
        result
    }
}

/// An admitted submission: it ends when this is dropped, even if its request is cancelled.
struct Admission<'b, C> {
    budgeted: &'b Budgeted<C>,
    fingerprint: Fingerprint,
    ended: Ended,
}

impl<C> Drop for Admission<'_, C> {
    fn drop(&mut self) {
        self.budgeted.ledger().end(self.fingerprint, self.ended);
    }
}

impl<C: Drain + Sync> Drain for Budgeted<C> {
    async fn drain(&self) {
        self.commit.drain().await;
    }
}

impl Known for Index {
    fn is_active(&self, fingerprint: Fingerprint) -> bool {
        self.has_active(fingerprint) == Some(true)
    }

    fn active(&self) -> usize {
        self.size().0
    }

    fn active_in(&self, namespace: &str) -> usize {
        Self::active_in(self, namespace)
    }

    fn by_namespace(&self) -> HashMap<Arc<str>, usize> {
        Self::active_by_namespace(self)
    }
}
