//! [`ApiCall::FindRr`]: an active RR of a fingerprint, no matter who created it. It costs no call while the index is in sync and
//! knows of none, which is nearly always.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Phase, Rr};
use onceway_signal::Fingerprint;
use tokio::sync::Semaphore;

use super::api::Api;
use super::outcome::CallOutcome;
use super::resource::{RRS, ResourceKind};
use super::response::{self, Page};
use super::transport::ApiResponse;
use crate::index::{Index, Lookup};

/// How many RRs from the index are confirmed by a read. With more duplicates than that, any of them will do.
const MAX_CANDIDATES: usize = 4;
/// How many pages of a list are read.
const MAX_PAGES: usize = 100;
/// Lists in flight. Each makes the API server scan all RRs, and while the index is not in sync every new incident needs one:
/// they must not use up the calls in flight that counts wait for.
const MAX_LISTS: usize = 4;

/// Finds active RRs by the index, or by lists while it is not in sync.
pub(super) struct Finder {
    index: Arc<Index>,
    lists: Semaphore,
}

impl Finder {
    pub(super) fn new(index: Arc<Index>) -> Self {
        Self { index, lists: Semaphore::new(MAX_LISTS) }
    }

    /// An active RR of the fingerprint; never `except` while the index is in sync.
    pub(super) async fn find(&self, api: &Api, fingerprint: Fingerprint, except: Option<&Arc<str>>) -> CallOutcome {
        match self.index.lookup(fingerprint) {
            Lookup::Active(names) => {
                let candidates = names.iter().filter(|name| Some(*name) != except);
                confirm(api, fingerprint, candidates).await
            }
            Lookup::NotInSync => self.list(api, fingerprint, None).await,
        }
    }

    /// The oldest active RR of the fingerprint other than `except`, by an uncached list.
    pub(super) async fn list(&self, api: &Api, fingerprint: Fingerprint, except: Option<&Arc<str>>) -> CallOutcome {
        // `acquire` fails only on a closed semaphore; this one is never closed.
        let _permit = self.lists.acquire().await;
        list(api, fingerprint, except).await
    }
}

/// The first of these RRs that a read finds active.
async fn confirm<'a>(api: &Api, fingerprint: Fingerprint, names: impl Iterator<Item = &'a Arc<str>>) -> CallOutcome {
    for name in names.take(MAX_CANDIDATES) {
        let outcome = api.call(&ApiCall::GetRr { name: Arc::clone(name), under: None }, fingerprint, None, None).await;
        match &outcome.result {
            ApiResult::Rr(rr) if is_adoptable(rr) => return outcome,
            // The index lags: the RR is terminal or deleted by now.
            ApiResult::Rr(_) | ApiResult::Missing => {}
            _ => return outcome,
        }
    }
    CallOutcome::definite(ApiResult::Missing)
}

/// The oldest active RR of an uncached list other than `except`.
async fn list(api: &Api, fingerprint: Fingerprint, except: Option<&Arc<str>>) -> CallOutcome {
    let mut oldest: Option<(i64, Rr)> = None;
    let mut next = None;
    for _ in 0..MAX_PAGES {
        let page = match list_page(api, fingerprint, next.as_deref()).await {
            Ok(page) => page,
            Err(outcome) => return outcome,
        };
        let active = page.rrs.into_iter().filter(|(_, rr)| is_adoptable(rr) && Some(&rr.name) != except);
        oldest = active.chain(oldest).min_by(|(a, x), (b, y)| (a, &x.name).cmp(&(b, &y.name)));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    CallOutcome::definite(oldest.map_or(ApiResult::Missing, |(_, rr)| ApiResult::Rr(rr)))
}

async fn list_page(api: &Api, fingerprint: Fingerprint, after: Option<&str>) -> Result<Page, CallOutcome> {
    let request = api.requests.list_rrs(fingerprint, after).map_err(|error| CallOutcome::unknown(error.into()))?;
    let kind = ResourceKind { verb: "list", resource: RRS };
    let ApiResponse { status, retry_after, body } = api.send(kind, request).await.map_err(CallOutcome::unknown)?;
    if !status.is_success() {
        return Err(response::failed(status, retry_after, &body));
    }
    response::read_page(fingerprint, &body).map_err(CallOutcome::unknown)
}

fn is_adoptable(rr: &Rr) -> bool {
    rr.fingerprint_matches && rr.phase == Phase::Active
}
