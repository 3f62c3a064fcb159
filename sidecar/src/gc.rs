//! What is done off the request's path, by every replica: duplicates that others made are reported (or skipped), RRs that
//! came too late are reaped, claims whose RR is gone are swept. Replicas do not agree on who does what: every removal is
//! a compare-and-swap, so that two who do the same do it once.

mod claims;
mod duplicate_event;
mod duplicates;
mod rrs;

use std::sync::Arc;
use std::time::Duration;

use onceway_claim::{ApiCall, ApiResult, GcOutcome, GcStep};
use onceway_signal::Fingerprint;
use rand::random_range;

use crate::config::{Config, Duplicates};
use crate::executor::{CallFailure, Executor};
use crate::index::Index;
use crate::metrics::Metrics;

/// Everything that the housekeeping works with.
pub struct GarbageCollector {
    executor: Arc<Executor>,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    namespace: String,
    pod: String,
    duplicates: Duplicates,
    settings: crate::config::Housekeeping,
}

impl GarbageCollector {
    /// A collector of `namespace`; `pod` is who reports.
    pub fn new(
        config: &Config,
        namespace: &str,
        pod: &str,
        executor: Arc<Executor>,
        index: Arc<Index>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            executor,
            index,
            metrics,
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            duplicates: config.duplicates,
            settings: config.housekeeping.clone(),
        }
    }

    /// Keeps house, for ever.
    pub async fn run(self) {
        tokio::join!(self.watch_duplicates(), self.collect_late_rrs(), self.collect_claims());
    }

    /// Drives one of the protocol's removals to its end.
    async fn drive(
        &self,
        fingerprint: Fingerprint,
        first: ApiCall,
        mut resume: impl FnMut(ApiResult) -> GcStep,
    ) -> GcOutcome {
        let mut call = first;
        loop {
            let outcome = self.executor.execute_off_path(&call, fingerprint).await;
            if let Some(failure) = &outcome.failure {
                note(fingerprint, failure);
            }
            match resume(outcome.result) {
                GcStep::Call(next) => call = next,
                GcStep::Done(tidied) => return tidied,
            }
        }
    }
}

fn note(fingerprint: Fingerprint, failure: &CallFailure) {
    tracing::debug!(%fingerprint, %failure, "housekeeping: a call has no definite answer; another try later");
}

/// `pause` and up to half of it more or less, so that replicas that started together do not work together.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(random_range(0.5..1.5))
}

#[cfg(test)]
mod tests;
