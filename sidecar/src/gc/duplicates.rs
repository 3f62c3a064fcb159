//! Incidents with more than one active RR. Onceway makes none, but people and other controllers may.

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

use super::{GarbageCollector, note, spread};
use crate::config::Duplicates;
use crate::executor::{CallFailure, RR_STATUS, RRS, ResourceKind};
use crate::index::ActiveRr;
use crate::index::observed::Observed;
use crate::rr::{RemediationRequest, SKIPPED};

/// Duplicates that are remembered as reported. Beyond it, one may be reported again.
const MAX_REPORTED: usize = 10_000;
/// The shortest pause between two looks at all duplicates, however many come meanwhile.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// What is reported: names with the second of their creation, for a name may be used again.
type Reported = HashSet<(Arc<str>, i64)>;

impl GarbageCollector {
    pub(super) async fn watch_duplicates(&self) {
        let mut reported = Reported::new();
        loop {
            for (fingerprint, known) in self.index.duplicates() {
                if self.is_done_with(&known, &reported) {
                    continue;
                }
                if let Err(failure) = self.look_at(fingerprint, &known, &mut reported).await {
                    note(fingerprint, &failure);
                }
            }
            if reported.len() > MAX_REPORTED {
                reported.clear();
            }
            sleep(LEAST_PAUSE).await;
            // Every so often in any case: what failed is tried again, and what was started may have been given back.
            tokio::select! {
                () = self.index.duplicated() => {}
                () = sleep(spread(self.settings.reap_interval)) => {}
            }
        }
    }

    /// Whether all but the oldest are reported, and nothing else is to be done.
    fn is_done_with(&self, known: &[ActiveRr], reported: &Reported) -> bool {
        let is_reported = |known: &ActiveRr| reported.contains(&(Arc::clone(&known.name), known.created_s));
        self.duplicates == Duplicates::Report && known.iter().skip(1).all(is_reported)
    }

    /// Reports (and skips) all of these but the oldest that is active indeed.
    async fn look_at(
        &self,
        fingerprint: Fingerprint,
        known: &[ActiveRr],
        reported: &mut Reported,
    ) -> Result<(), CallFailure> {
        let mut oldest: Option<Observed> = None;
        for known in known {
            // The index is late: an RR that has ended or gone meanwhile is no duplicate. One of ours without a count may have
            // been created too late, which is for the reaper to find out.
            let indeed = |rr: &Observed| rr.active && !rr.may_be_late_create();
            let Some(rr) = self.read(&known.name).await?.filter(indeed) else { continue };
            let Some(oldest) = &oldest else {
                oldest = Some(rr);
                continue;
            };
            let made = (Arc::clone(&rr.name), rr.created_s);
            if !reported.contains(&made) && self.report(fingerprint, oldest, &rr).await {
                reported.insert(made);
            }
            if self.duplicates == Duplicates::Skip && rr.unstarted {
                self.skip(oldest, &rr).await;
            }
        }
        Ok(())
    }

    async fn read(&self, name: &str) -> Result<Option<Observed>, CallFailure> {
        let request = self.rrs().get(name, &GetParams::default())?;
        self.executor.read(ResourceKind { verb: "get", resource: RRS }, request).await
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
        let answered = self.executor.send(ResourceKind { verb: "patch", resource: RR_STATUS }, request).await;
        if answered.is_ok_and(|answered| answered.status.is_success()) {
            info!(duplicate = %younger.name, oldest = %oldest.name, "marked a duplicate as Skipped");
        }
    }

    fn rrs(&self) -> Request {
        Request::new(RemediationRequest::url_path(&(), Some(&self.namespace)))
    }
}
