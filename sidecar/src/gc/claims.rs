//! Removes the claims of fingerprints whose RR is long gone: otherwise every fingerprint ever seen leaves a Lease behind.

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

use super::{GarbageCollector, spread};
use crate::executor::{CLAIM_LABELS, CallFailure, FLOOR, INTENT, LEASES, ResourceKind, fingerprint_of_claim};

/// How many claims a page of the list has; of each only the metadata comes.
const PAGE: u32 = 200;

/// Since when each open claim without an RR has had which version.
type Open = HashMap<Fingerprint, (Arc<str>, Instant)>;
type Page = ObjectList<PartialObjectMeta<Lease>>;

impl GarbageCollector {
    pub(super) async fn collect_claims(&self) {
        let mut open = Open::new();
        loop {
            sleep(spread(self.settings.sweep_interval)).await;
            match self.candidates().await {
                Ok(claims) => self.collect_all(claims, &mut open).await,
                Err(failure) => warn!(%failure, "cannot list the Leases; none is swept until the next try"),
            }
        }
    }

    /// The claims that are worth a look. All are listed before any is looked at: the API server forgets within minutes what
    /// the next page of a list begins with, and at its pace the sweep of many claims takes hours.
    async fn candidates(&self) -> Result<HashSet<Fingerprint>, CallFailure> {
        let leases = Request::new(Lease::url_path(&(), Some(&self.namespace)));
        let mut list = ListParams::default().labels(CLAIM_LABELS).limit(PAGE);
        let mut claims = HashSet::new();
        loop {
            let kind = ResourceKind { verb: "list", resource: LEASES };
            let Some(page) = self.executor.read::<Page>(kind, leases.list_metadata(&list)?).await? else { break };
            claims.extend(page.items.iter().filter_map(|lease| self.candidate(lease)));
            let Some(next) = page.metadata.continue_.filter(|next| !next.is_empty()) else { break };
            list = list.continue_token(&next);
        }
        Ok(claims)
    }

    /// The fingerprint of a claim that is worth a look: an old one of ours, whose RR is not known to be active.
    fn candidate(&self, lease: &PartialObjectMeta<Lease>) -> Option<Fingerprint> {
        let fingerprint = fingerprint_of_claim(&lease.name_any())?;
        let intent = lease.annotations().get(INTENT)?;
        let named_s = lease.annotations().get(FLOOR)?.parse().ok()?;
        (self.is_old(named_s) && !self.index.is_active(fingerprint, intent)).then_some(fingerprint)
    }

    /// Whether a claim whose last name bears this second may go. Without its claim a fingerprint's names are told apart by
    /// clocks alone, which may differ.
    fn is_old(&self, named_s: u64) -> bool {
        let now_s = u64::try_from(Timestamp::now().as_second()).unwrap_or(0);
        now_s.saturating_sub(named_s) >= self.settings.sweep_after.as_secs()
    }

    /// Sweeps those of the claims whose RR is gone, at the pace of `housekeeping.maxSweepsPerSecond`.
    async fn collect_all(&self, claims: HashSet<Fingerprint>, open: &mut Open) {
        open.retain(|fingerprint, _| claims.contains(fingerprint));
        let mut removed = 0_usize;
        for fingerprint in claims {
            sleep(Duration::from_secs(1) / self.settings.max_sweeps_per_second).await;
            removed += usize::from(self.collect(fingerprint, open).await);
        }
        if removed > 0 {
            info!(removed, "swept the Leases of incidents whose RemediationRequest is gone");
        }
    }

    /// Sweeps the claim if its RR is gone. Whether it was removed.
    async fn collect(&self, fingerprint: Fingerprint, open: &mut Open) -> bool {
        let settled = open.get(&fingerprint).filter(|(_, since)| since.elapsed() >= self.settings.sweep_after);
        let (mut sweep, first) = ClaimGc::begin(settled.map(|(version, _)| Arc::clone(version)));
        let resume = |answer| match answer {
            // It was used after it was listed.
            ApiResult::Claim(claim) if !self.is_old(claim.fields.floor) => GcStep::Done(GcOutcome::Kept),
            answer => sweep.resume(answer),
        };
        let tidied = self.drive(fingerprint, first, resume).await;
        let removed = tidied == GcOutcome::Removed;
        match tidied {
            // Nothing was learnt.
            GcOutcome::Unknown => {}
            GcOutcome::Open(version) if open.get(&fingerprint).is_some_and(|(known, _)| *known == version) => {}
            GcOutcome::Open(version) => drop(open.insert(fingerprint, (version, Instant::now()))),
            GcOutcome::Removed | GcOutcome::Gone | GcOutcome::Kept => drop(open.remove(&fingerprint)),
        }
        if removed {
            self.metrics.removed("lease");
            debug!(%fingerprint, "removed a Lease");
        }
        removed
    }
}
