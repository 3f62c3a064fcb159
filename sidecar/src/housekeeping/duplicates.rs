//! Incidents with more than one active RR. Onceway makes none, but people and other controllers may.

use std::collections::HashSet;
use std::sync::Arc;

use kube::Resource;
use kube::api::{Patch, PatchParams};
use kube::core::params::GetParams;
use kube::core::request::Request;
use onceway_signal::Fingerprint;
use serde_json::json;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{Housekeeper, spread};
use crate::config::Duplicates;
use crate::executor::{Kind, RR_STATUS, RRS};
use crate::index::observed::Observed;
use crate::rr::{RemediationRequest, SKIPPED};

/// Duplicates that are remembered as reported. Beyond it, one may be reported again.
const MAX_REPORTED: usize = 10_000;

impl Housekeeper {
    pub(super) async fn watch_duplicates(&self) {
        let mut reported = HashSet::new();
        loop {
            for (fingerprint, names) in self.index.duplicates() {
                self.look_at(fingerprint, &names, &mut reported).await;
            }
            if reported.len() > MAX_REPORTED {
                reported.clear();
            }
            // Every so often in any case: what failed is tried again, and what was started may have been given back.
            tokio::select! {
                () = self.index.duplicated() => {}
                () = sleep(spread(self.settings.reap_interval)) => {}
            }
        }
    }

    /// Reports (and skips) all of these but the oldest that is active indeed. `reported` holds uids.
    async fn look_at(&self, fingerprint: Fingerprint, names: &[Arc<str>], reported: &mut HashSet<String>) {
        let mut oldest: Option<Observed> = None;
        for name in names {
            // The index is late: an RR that has ended or gone meanwhile is no duplicate.
            let Some(rr) = self.read(name).await.filter(|rr| rr.active) else { continue };
            let Some(oldest) = &oldest else {
                oldest = Some(rr);
                continue;
            };
            if !reported.contains(rr.uid()) && self.report(fingerprint, oldest, &rr).await {
                reported.insert(rr.uid().to_owned());
            }
            if self.duplicates == Duplicates::Skip && rr.unstarted {
                self.skip(oldest, &rr).await;
            }
        }
    }

    async fn read(&self, name: &str) -> Option<Observed> {
        let request = self.rrs().get(name, &GetParams::default()).ok()?;
        let answered = self.executor.send(Kind { verb: "get", resource: RRS }, request).await.ok()?;
        answered.status.is_success().then(|| serde_json::from_slice(&answered.body).ok()).flatten()
    }

    /// Whether it is reported now, by this replica or by another: the event's name is the same in all.
    async fn report(&self, fingerprint: Fingerprint, oldest: &Observed, younger: &Observed) -> bool {
        let Some(first) = self.warn_by_event(oldest, younger).await else { return false };
        if first {
            self.metrics.duplicate();
            warn!(
                %fingerprint,
                oldest = %oldest.name,
                duplicate = %younger.name,
                "an incident has two active RemediationRequests; somebody else has created one of them"
            );
        }
        true
    }

    /// Compare-and-swap: a controller that has just started it wins.
    async fn skip(&self, oldest: &Observed, younger: &Observed) {
        let status = json!({ "overallPhase": SKIPPED, "routingStatus": { "duplicateOf": *oldest.name } });
        let metadata = json!({ "resourceVersion": younger.resource_version(), "uid": younger.uid() });
        let patch = Patch::Merge(json!({ "metadata": metadata, "status": status }));
        let request = self.rrs().patch_subresource("status", &younger.name, &PatchParams::default(), &patch);
        let Ok(request) = request else { return };
        let answered = self.executor.send(Kind { verb: "patch", resource: RR_STATUS }, request).await;
        if answered.is_ok_and(|answered| answered.status.is_success()) {
            info!(duplicate = %younger.name, oldest = %oldest.name, "marked a duplicate as Skipped");
        }
    }

    fn rrs(&self) -> Request {
        Request::new(RemediationRequest::url_path(&(), Some(&self.namespace)))
    }
}
