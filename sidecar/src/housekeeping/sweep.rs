//! Removes the claims of fingerprints whose RR is long gone: otherwise every fingerprint ever seen leaves a Lease behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::core::request::Request;
use kube::core::{ObjectList, PartialObjectMeta};
use kube::{Resource, ResourceExt};
use onceway_claim::{Sweep, Tidied};
use onceway_signal::Fingerprint;
use tokio::time::{Instant, sleep};
use tracing::{debug, info};

use super::{Housekeeper, spread};
use crate::executor::{CLAIM_LABELS, FLOOR, INTENT, Kind, LEASES, fingerprint_of_claim};

/// How many claims a page of the list has; of each only the metadata comes.
const PAGE: u32 = 200;
/// Open claims without an RR that are remembered. Each is from a creator that died at once.
const MAX_OPEN: usize = 10_000;

/// Since when each open claim without an RR has had which version.
type Open = HashMap<Fingerprint, (Arc<str>, Instant)>;
type Page = ObjectList<PartialObjectMeta<Lease>>;

impl Housekeeper {
    pub(super) async fn sweep_claims(&self) {
        let mut open = Open::new();
        loop {
            sleep(spread(self.settings.sweep_interval)).await;
            let mut next = None;
            let mut removed = 0_usize;
            // What this pass does not meet again is not open any more.
            let mut still_open = Open::new();
            loop {
                let Some(page) = self.claims(next.as_deref()).await else { break };
                for lease in page.items {
                    removed += usize::from(self.sweep(&lease, &open, &mut still_open).await);
                }
                next = page.metadata.continue_.filter(|next| !next.is_empty());
                if next.is_none() {
                    break;
                }
            }
            open = still_open;
            info!(removed, "swept the Leases of incidents whose RemediationRequest is gone");
        }
    }

    /// A page of the claims.
    async fn claims(&self, after: Option<&str>) -> Option<Page> {
        let url = Lease::url_path(&(), Some(&self.namespace));
        let page = ListParams::default().labels(CLAIM_LABELS).limit(PAGE);
        let page = after.map_or(page.clone(), |after| page.continue_token(after));
        let request = Request::new(url).list_metadata(&page).ok()?;
        let answered = self.executor.send(Kind { verb: "list", resource: LEASES }, request).await.ok()?;
        // A token that has expired meanwhile ends the pass; the next begins anew.
        answered.status.is_success().then(|| serde_json::from_slice(&answered.body).ok()).flatten()
    }

    /// Sweeps the claim if its RR may be gone. Whether it was removed.
    async fn sweep(&self, lease: &PartialObjectMeta<Lease>, open: &Open, still_open: &mut Open) -> bool {
        let Some(fingerprint) = self.sweepable(lease) else { return false };
        // The pace of the whole pass.
        sleep(Duration::from_secs(1) / self.settings.max_sweeps_per_second).await;
        let known = open.get(&fingerprint);
        let settled = known.filter(|(_, since)| since.elapsed() >= self.settings.sweep_after);
        let (mut sweep, first) = Sweep::begin(settled.map(|(version, _)| Arc::clone(version)));
        match self.drive(fingerprint, first, |answer| sweep.resume(answer)).await {
            Tidied::Removed => {
                self.metrics.removed("lease");
                debug!(%fingerprint, "removed a Lease");
                true
            }
            Tidied::Open(version) if still_open.len() < MAX_OPEN => {
                let unchanged = known.filter(|(before, _)| *before == version);
                let since = unchanged.map_or_else(Instant::now, |(_, since)| *since);
                still_open.insert(fingerprint, (version, since));
                false
            }
            _ => false,
        }
    }

    /// The fingerprint of a claim that is worth a look: an old one of ours, whose RR is not known to be active.
    fn sweepable(&self, lease: &PartialObjectMeta<Lease>) -> Option<Fingerprint> {
        let fingerprint = fingerprint_of_claim(&lease.name_any())?;
        let intent = lease.annotations().get(INTENT)?;
        let named_s: i64 = lease.annotations().get(FLOOR)?.parse().ok()?;
        // Without its claim a fingerprint's names are told apart by clocks alone, which may differ.
        let age_s = Timestamp::now().as_second().saturating_sub(named_s);
        let is_old = u64::try_from(age_s).is_ok_and(|age| age >= self.settings.sweep_after.as_secs());
        (is_old && !self.index.is_active(fingerprint, intent)).then_some(fingerprint)
    }
}
