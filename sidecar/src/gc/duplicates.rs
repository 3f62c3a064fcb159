//! Incidents with more than one active RR. Onceway creates none, but people and other controllers may.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use kube::Resource;
use kube::api::{Patch, PatchParams};
use kube::core::params::GetParams;
use kube::core::request::Request;
use onceway_signal::Fingerprint;
use serde_json::json;
use tokio::time::sleep;
use tracing::{info, warn};

use super::collector::{GarbageCollector, jittered, log_failure};
use crate::config::Duplicates;
use crate::executor::{CallFailure, RR_STATUS, RRS, ResourceKind};
use crate::index::ActiveRr;
use crate::index::observed::Observed;
use crate::rr::{RemediationRequest, SKIPPED};

/// Limit of remembered reports. At the limit all are forgotten, and a duplicate may be reported again.
const MAX_REPORTED: usize = 10_000;
/// Minimum pause between two passes, however often the index notifies.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// Reported duplicates: name and creation second, because a name may be used again.
type Reported = HashSet<(Arc<str>, i64)>;

impl GarbageCollector {
    /// Whenever the index finds a duplicate, and every `housekeeping.reapInterval`; never returns.
    pub(super) async fn handle_duplicates(&self) {
        let mut reported = Reported::new();
        loop {
            for (fingerprint, rrs) in self.index.duplicates() {
                if self.is_handled(&rrs, &reported) {
                    continue;
                }
                if let Err(failure) = self.handle(fingerprint, &rrs, &mut reported).await {
                    log_failure(fingerprint, &failure);
                }
            }
            if reported.len() > MAX_REPORTED {
                reported.clear();
            }
            sleep(MIN_PAUSE).await;
            // The interval retries what failed, and skips an RR that a controller has put back to unstarted.
            tokio::select! {
                () = self.index.duplicated() => {}
                () = sleep(jittered(self.settings.reap_interval)) => {}
            }
        }
    }

    /// Whether all but the oldest are reported, and none is to be skipped.
    fn is_handled(&self, rrs: &[ActiveRr], reported: &Reported) -> bool {
        let is_reported = |rr: &ActiveRr| reported.contains(&(Arc::clone(&rr.name), rr.created_s));
        self.duplicates == Duplicates::Report && rrs.iter().skip(1).all(is_reported)
    }

    /// Reports (and skips) all of these RRs except the oldest that a read confirms as active.
    async fn handle(
        &self,
        fingerprint: Fingerprint,
        rrs: &[ActiveRr],
        reported: &mut Reported,
    ) -> Result<(), CallFailure> {
        let mut oldest: Option<Observed> = None;
        for rr in rrs {
            // The index lags: an RR that is terminal or deleted by now is no duplicate. A possible late create is left to the
            // GC of RRs.
            let is_duplicate = |rr: &Observed| rr.active && !rr.may_be_late_create();
            let Some(rr) = self.read_rr(&rr.name).await?.filter(is_duplicate) else { continue };
            let Some(oldest) = &oldest else {
                oldest = Some(rr);
                continue;
            };
            let key = (Arc::clone(&rr.name), rr.created_s);
            if !reported.contains(&key) && self.report(fingerprint, oldest, &rr).await {
                reported.insert(key);
            }
            if self.duplicates == Duplicates::Skip && rr.unstarted {
                self.skip(oldest, &rr).await;
            }
        }
        Ok(())
    }

    async fn read_rr(&self, name: &str) -> Result<Option<Observed>, CallFailure> {
        let request = self.rrs().get(name, &GetParams::default())?;
        self.executor.read(ResourceKind { verb: "get", resource: RRS }, request).await
    }

    /// Reports a duplicate. Returns whether it is reported now, by this replica or by another.
    async fn report(&self, fingerprint: Fingerprint, oldest: &Observed, younger: &Observed) -> bool {
        let Some(first) = self.create_warning(oldest, younger).await else { return false };
        if first {
            self.metrics.duplicate();
            warn!(
                event = "duplicate_rr",
                %fingerprint,
                rr = %oldest.name,
                duplicate = %younger.name,
                "an incident has two active RemediationRequests; one of them was not created by Onceway"
            );
        }
        true
    }

    /// Marks a duplicate as Skipped. A compare-and-swap: a controller that has just started it wins.
    async fn skip(&self, oldest: &Observed, younger: &Observed) {
        let status = json!({ "overallPhase": SKIPPED, "routingStatus": { "duplicateOf": *oldest.name } });
        let metadata = json!({ "resourceVersion": younger.resource_version(), "uid": younger.uid() });
        let patch = Patch::Merge(json!({ "metadata": metadata, "status": status }));
        let request = self.rrs().patch_subresource("status", &younger.name, &PatchParams::default(), &patch);
        let Ok(request) = request else { return };
        let response = self.executor.send(ResourceKind { verb: "patch", resource: RR_STATUS }, request).await;
        if response.is_ok_and(|response| response.status.is_success()) {
            info!(event = "duplicate_rr_skipped", duplicate = %younger.name, rr = %oldest.name, "marked a duplicate as Skipped");
        }
    }

    fn rrs(&self) -> Request {
        Request::new(RemediationRequest::url_path(&(), Some(&self.namespace)))
    }
}
