//! Removes RRs of ours that were created too late: active, without a count, and no claim names them.

use std::sync::Arc;

use onceway_claim::{GcOutcome, RrGc};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{GarbageCollector, spread};

impl GarbageCollector {
    pub(super) async fn collect_late_rrs(&self) {
        let interval = self.settings.reap_interval;
        loop {
            sleep(spread(interval)).await;
            let Some(limit) = Instant::now().checked_sub(interval) else { continue };
            for (fingerprint, name) in self.index.uncounted_since(limit) {
                let (mut reap, first) = RrGc::begin(Arc::clone(&name));
                if self.drive(fingerprint, first, |answer| reap.resume(answer)).await == GcOutcome::Removed {
                    self.metrics.removed("remediationrequest");
                    warn!(%fingerprint, %name, "removed a RemediationRequest that was created too late");
                }
            }
        }
    }
}
