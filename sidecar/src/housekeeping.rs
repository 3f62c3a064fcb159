//! What is done off the request's path, by every replica: duplicates that others made are reported (or skipped), RRs that
//! came too late are reaped, claims whose RR is gone are swept. Replicas do not agree on who does what: every removal is
//! a compare-and-swap, so that two who do the same do it once.

mod duplicates;
mod event;
mod reap;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use onceway_claim::{ApiCall, ApiResult, GcOutcome, GcStep};
use onceway_signal::Fingerprint;
use rand::random_range;

use crate::config::{Config, Duplicates};
use crate::executor::{Executor, Failure};
use crate::index::Index;
use crate::metrics::Metrics;

/// Everything that the housekeeping works with.
pub struct Housekeeper {
    executor: Arc<Executor>,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    namespace: String,
    pod: String,
    duplicates: Duplicates,
    settings: crate::config::Housekeeping,
}

impl Housekeeper {
    /// A housekeeper of `namespace`; `pod` is who reports.
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
        tokio::join!(self.watch_duplicates(), self.reap_late_rrs(), self.sweep_claims());
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
            let reply = self.executor.tidy(&call, fingerprint).await;
            if let Some(failure) = &reply.failure {
                note(fingerprint, failure);
            }
            match resume(reply.answer) {
                GcStep::Call(next) => call = next,
                GcStep::Done(tidied) => return tidied,
            }
        }
    }
}

fn note(fingerprint: Fingerprint, failure: &Failure) {
    tracing::debug!(%fingerprint, %failure, "housekeeping: a call has no definite answer; another try later");
}

/// `pause` and up to half of it more or less, so that replicas that started together do not work together.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(random_range(0.5..1.5))
}

#[cfg(test)]
mod tests;
