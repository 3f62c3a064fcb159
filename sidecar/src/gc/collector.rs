//! What all GC loops share.

use std::sync::Arc;
use std::time::Duration;

use onceway_claim::{ApiCall, ApiResult, GcOutcome, GcStep};
use onceway_signal::Fingerprint;
use rand::random_range;
use tracing::debug;

use crate::config::{Config, Duplicates, Housekeeping};
use crate::executor::{CallFailure, Executor};
use crate::index::Index;
use crate::metrics::Metrics;

/// The GC of one replica. Each file of this module has one of its loops.
pub struct GarbageCollector {
    pub(super) executor: Arc<Executor>,
    pub(super) index: Arc<Index>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) duplicates: Duplicates,
    pub(super) settings: Housekeeping,
}

impl GarbageCollector {
    /// The GC of `namespace`; `pod` is the reporter of its events.
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

    /// Drives one removal of the protocol to its end.
    pub(super) async fn drive(
        &self,
        fingerprint: Fingerprint,
        first: ApiCall,
        mut resume: impl FnMut(ApiResult) -> GcStep,
    ) -> GcOutcome {
        let mut call = first;
        loop {
            let outcome = self.executor.execute_off_path(&call, fingerprint).await;
            if let Some(failure) = &outcome.failure {
                log_failure(fingerprint, failure);
            }
            match resume(outcome.result) {
                GcStep::Call(next) => call = next,
                GcStep::Done(outcome) => return outcome,
            }
        }
    }
}

pub(super) fn log_failure(fingerprint: Fingerprint, failure: &CallFailure) {
    debug!(%fingerprint, %failure, "GC: API call without a definite result; retrying in a later pass");
}

/// 0.5 to 1.5 times `pause`, so that replicas which started together do not work at the same time.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(random_range(0.5..1.5))
}
