//! Deletes late RRs: created by a sidecar, active, without a count, and named by no claim.

use std::sync::Arc;

use onceway_claim::{GcOutcome, RrGc};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::collector::{GarbageCollector, jittered};

impl GarbageCollector {
    /// Every `housekeeping.reapInterval`; never returns.
    pub(super) async fn collect_late_rrs(&self) {
        let interval = self.settings.reap_interval;
        loop {
            sleep(jittered(interval)).await;
            let Some(limit) = Instant::now().checked_sub(interval) else { continue };
            for (fingerprint, name) in self.index.uncounted_since(limit) {
                let (mut gc, first) = RrGc::begin(Arc::clone(&name));
                if self.drive(fingerprint, first, |result| gc.resume(result)).await == GcOutcome::Removed {
                    self.metrics.removed("remediationrequest");
                    warn!(event = "late_rr_deleted", %fingerprint, rr = %name, "deleted a RemediationRequest that was created too late");
                }
            }
        }
    }
}
