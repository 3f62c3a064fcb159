//! [`ApiCall::FindRr`]: an active RR of a fingerprint, whoever made it. Costs nothing where the
//! index knows of none, which is nearly always.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Phase, Rr};
use onceway_signal::Fingerprint;

use super::request::{RRS, ResourceKind};
use super::response::{self, CallOutcome};
use super::view::{self, Page};
use super::{ApiResponse, Executor};
use crate::index::Lookup;

/// How many RRs that the index knows are looked at; of more duplicates than that, any will do later.
const MAX_CANDIDATES: usize = 4;
/// How many pages of a list are read. A fingerprint with a thousand RRs has other troubles.
const MAX_PAGES: usize = 100;

impl Executor {
    pub(super) async fn find(&self, fingerprint: Fingerprint, except: Option<&Arc<str>>) -> CallOutcome {
        match self.index.lookup(fingerprint) {
            Lookup::Active(names) => {
                let candidates = names.iter().filter(|name| Some(*name) != except);
                self.confirm(fingerprint, candidates).await
            }
            Lookup::NotInSync => self.list(fingerprint).await,
        }
    }

    /// The first of these RRs that is active indeed.
    async fn confirm<'a>(&self, fingerprint: Fingerprint, names: impl Iterator<Item = &'a Arc<str>>) -> CallOutcome {
        for name in names.take(MAX_CANDIDATES) {
            let outcome = self.call(&ApiCall::GetRr { name: Arc::clone(name) }, fingerprint, None).await;
            match &outcome.result {
                ApiResult::Rr(rr) if is_adoptable(rr) => return outcome,
                // The index is late: it has ended or gone meanwhile.
                ApiResult::Rr(_) | ApiResult::Missing => {}
                _ => return outcome,
            }
        }
        CallOutcome::definite(ApiResult::Missing)
    }

    /// The oldest active RR of an uncached list.
    async fn list(&self, fingerprint: Fingerprint) -> CallOutcome {
        // An error would mean that somebody has closed it, and nobody does.
        let _turn = self.lists.acquire().await;
        let mut oldest: Option<(String, Rr)> = None;
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let page = match self.page(fingerprint, next.as_deref()).await {
                Ok(page) => page,
                Err(outcome) => return outcome,
            };
            let active = page.rrs.into_iter().filter(|(_, rr)| is_adoptable(rr));
            oldest = active.chain(oldest).min_by(|(a, x), (b, y)| (a, &x.name).cmp(&(b, &y.name)));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        CallOutcome::definite(oldest.map_or(ApiResult::Missing, |(_, rr)| ApiResult::Rr(rr)))
    }

    async fn page(&self, fingerprint: Fingerprint, after: Option<&str>) -> Result<Page, CallOutcome> {
        let request = self.requests.list_rrs(fingerprint, after).map_err(|error| CallOutcome::unknown(error.into()))?;
        let kind = ResourceKind { verb: "list", resource: RRS };
        let ApiResponse { status, retry_after, body } = self.send(kind, request).await.map_err(CallOutcome::unknown)?;
        if !status.is_success() {
            return Err(response::failed(status, retry_after, &body));
        }
        view::page(fingerprint, &body).map_err(CallOutcome::unknown)
    }
}

fn is_adoptable(rr: &Rr) -> bool {
    rr.fingerprint_matches && rr.phase == Phase::Active
}
