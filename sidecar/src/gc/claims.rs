//! Deletes the claims of deleted RRs: otherwise every fingerprint ever seen would leave a Lease behind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::core::request::Request;
use kube::core::{ObjectList, PartialObjectMeta};
use kube::{Resource, ResourceExt};
use onceway_claim::{ApiResult, ClaimGc, GcOutcome, GcStep};
use onceway_signal::Fingerprint;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::collector::{GarbageCollector, jittered};
use crate::executor::{CLAIM_LABELS, CallFailure, FLOOR, INTENT, LEASES, ResourceKind, fingerprint_of_claim};

/// Claims per page of the list, which has their metadata only.
const PAGE: u32 = 200;

/// Open claims without an RR: the version of each, and since when it has been seen.
type OpenClaims = HashMap<Fingerprint, (Arc<str>, Instant)>;

/// What became of a claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Collected {
    /// Deleted.
    Removed,
    /// Not to be deleted, or gone already.
    Stays,
    /// A call failed.
    Unknown,
}

type Page = ObjectList<PartialObjectMeta<Lease>>;

impl GarbageCollector {
    /// Every `housekeeping.sweepInterval`; never returns.
    pub(super) async fn collect_claims(&self) {
        let mut open = OpenClaims::new();
        loop {
            sleep(jittered(self.settings.sweep_interval)).await;
            match self.claim_candidates().await {
                Ok(claims) => {
                    if self.collect_candidates(claims, &mut open).await {
                        self.metrics.progress.claims_collected();
                    }
                }
                Err(failure) => {
                    warn!(event = "claims_not_listed", cause = %failure, "cannot list the Leases: skipping this pass of claim GC")
                }
            }
        }
    }

    /// The claims that may be deletable. All pages are listed before any claim is read: a page's token expires within
    /// minutes, and at `maxSweepsPerSecond` a pass over many claims takes hours.
    async fn claim_candidates(&self) -> Result<HashSet<Fingerprint>, CallFailure> {
        let leases = Request::new(Lease::url_path(&(), Some(&self.namespace)));
        let mut list = ListParams::default().labels(CLAIM_LABELS).limit(PAGE);
        let mut claims = HashSet::new();
        loop {
            let kind = ResourceKind { verb: "list", resource: LEASES };
            let Some(page) = self.executor.read::<Page>(kind, leases.list_metadata(&list)?).await? else { break };
            claims.extend(page.items.iter().filter_map(|lease| self.claim_candidate(lease)));
            let Some(next) = page.metadata.continue_.filter(|next| !next.is_empty()) else { break };
            list = list.continue_token(&next);
        }
        Ok(claims)
    }

    /// The fingerprint of a Lease that is a claim, old, and whose RR is not known to be active.
    fn claim_candidate(&self, lease: &PartialObjectMeta<Lease>) -> Option<Fingerprint> {
        let fingerprint = fingerprint_of_claim(&lease.name_any())?;
        let intent = lease.annotations().get(INTENT)?;
        let floor_s = lease.annotations().get(FLOOR)?.parse().ok()?;
        (self.is_old(floor_s) && !self.index.is_active(fingerprint, intent)).then_some(fingerprint)
    }

    /// Whether a claim with this floor is old enough. Once a claim is deleted, only clocks, which may differ, keep the names
    /// of its fingerprint distinct.
    fn is_old(&self, floor_s: u64) -> bool {
        let now_s = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
        now_s.saturating_sub(floor_s) >= self.settings.sweep_after.as_secs()
    }

    /// Deletes the claims whose RR is deleted, at most `housekeeping.maxSweepsPerSecond`. Returns whether it could decide about
    /// any, or there was none.
    async fn collect_candidates(&self, claims: HashSet<Fingerprint>, open: &mut OpenClaims) -> bool {
        open.retain(|fingerprint, _| claims.contains(fingerprint));
        let mut removed = 0_usize;
        let mut decided = claims.is_empty();
        for fingerprint in claims {
            sleep(Duration::from_secs(1) / self.settings.max_sweeps_per_second).await;
            let outcome = self.collect_claim(fingerprint, open).await;
            removed += usize::from(outcome == Collected::Removed);
            decided |= outcome != Collected::Unknown;
        }
        if removed > 0 {
            info!(
                event = "claims_deleted",
                claims = removed,
                "deleted the Leases of incidents whose RemediationRequest is deleted"
            );
        }
        decided
    }

    /// Deletes the claim if its RR is deleted.
    async fn collect_claim(&self, fingerprint: Fingerprint, open: &mut OpenClaims) -> Collected {
        let unchanged = open.get(&fingerprint).filter(|(_, since)| since.elapsed() >= self.settings.sweep_after);
        let (mut gc, first) = ClaimGc::begin(unchanged.map(|(version, _)| Arc::clone(version)));
        let resume = |result| match result {
            // It was used after it was listed.
            ApiResult::Claim(claim) if !self.is_old(claim.fields.floor) => GcStep::Done(GcOutcome::Kept),
            result => gc.resume(result),
        };
        let outcome = self.drive(fingerprint, first, resume).await;
        let collected = match &outcome {
            GcOutcome::Removed => Collected::Removed,
            GcOutcome::Unknown => Collected::Unknown,
            GcOutcome::Open(_) | GcOutcome::Gone | GcOutcome::Kept => Collected::Stays,
        };
        match outcome {
            // A call failed; what is known of the claim stays.
            GcOutcome::Unknown => {}
            GcOutcome::Open(version) if open.get(&fingerprint).is_some_and(|(known, _)| *known == version) => {}
            GcOutcome::Open(version) => drop(open.insert(fingerprint, (version, Instant::now()))),
            GcOutcome::Removed | GcOutcome::Gone | GcOutcome::Kept => drop(open.remove(&fingerprint)),
        }
        if collected == Collected::Removed {
            self.metrics.removed("lease");
            debug!(%fingerprint, "deleted a Lease");
        }
        collected
    }
}
