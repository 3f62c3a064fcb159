//! The lock of kubernaut's gateway, held while an RR is looked for and created (`migration.kubernautLocks`).
//!
//! kubernaut's gateway takes the Lease `gw-lock-<fingerprint[:16]>`, lists the incident's RRs, creates one if none is active
//! and deletes the Lease. It knows no claims. So that neither gateway creates an RR between the other's list and create, a
//! sidecar that is about to create an RR does the same around the claim protocol's own calls:
//!
//! ```text
//! FindRr     take the lock, then list (the index lags behind its creates)
//! CreateRr   take the lock unless this commit holds it; list unless this commit has listed under it;
//!            another RR is active: do not create, answer "the name is taken", and to the next GetRr of that name likewise
//! the end    of the commit: release the lock, unless a create may still take effect: then it expires
//! ```
//!
//! The claim protocol is unchanged: it learns that the name which its claim holds cannot be used, gives it up as it does one
//! that belongs to another fingerprint, and adopts the RR that it finds. docs/kubernaut.md has the argument.

mod lease;
mod table;

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use jiff::Timestamp;
use kube::core::request::Error;
use onceway_claim::{ApiCall, ApiResult, Phase, Rr};
use onceway_signal::Fingerprint;
use tokio::time::Instant;

use self::lease::LockLease;
use self::table::{Held, Table};
use super::api::Api;
use super::execute::Context;
use super::find::Finder;
use super::held_lock::HeldLock;
use super::outcome::{CallFailure, CallOutcome};
use super::resource::{LEASES, ResourceKind};
use super::response;
use super::transport::ApiResponse;
use crate::rr::RemediationRequestSpec;

/// How long a lock counts as held after the request that took it was sent; after that it is renewed before it is relied on.
/// The rest of [`lease::DURATION`] is room for differences between clocks and for the call that relies on it.
const RELIABLE: Duration = Duration::from_secs(5);
/// Attempts to take a lock that changes hands between two calls.
const MAX_TRIES: u32 = 3;

/// The locks of one replica, one per commit in flight that may create an RR.
#[derive(Default)]
pub(super) struct GatewayLocks {
    table: Table,
}

impl GatewayLocks {
    /// Executes a call of the protocol, with the spec of the RR that it creates, under the lock where it may lead to a new RR.
    pub(super) async fn execute(
        &self,
        api: &Api,
        finder: &Finder,
        (call, spec): (&ApiCall, Option<&RemediationRequestSpec>),
        context: &Context,
    ) -> CallOutcome {
        let fingerprint = context.fingerprint;
        let done = match call {
            ApiCall::FindRr { .. } => self.find(api, finder, fingerprint).await,
            ApiCall::CreateRr { name, .. } => self.create(api, finder, (call, name, spec), context).await,
            ApiCall::GetRr { name, .. } => Ok(self.get(api, (call, name), context).await),
            _ => Ok(api.call(call, fingerprint, Some(context), spec).await),
        };
        done.unwrap_or_else(|outcome| outcome)
    }

    /// Ends what a commit of the fingerprint holds: the next one takes the lock anew. The lock is to be released, unless the
    /// commit sent a create whose outcome is unknown: then it is left to expire, since until then nobody may look for the RR
    /// that is about to exist.
    pub(super) fn end(&self, fingerprint: Fingerprint) -> Option<HeldLock> {
        let held = self.table.remove(fingerprint).filter(|held| !held.unsettled)?;
        let LockLease { uid, version, .. } = held.lease;
        Some(HeldLock { fingerprint, uid, version })
    }

    async fn find(&self, api: &Api, finder: &Finder, fingerprint: Fingerprint) -> Result<CallOutcome, CallOutcome> {
        self.hold(api, fingerprint).await?;
        let found = finder.list(api, fingerprint, None).await;
        self.table.change(fingerprint, |held| held.none_active = found.result == ApiResult::Missing);
        Ok(found)
    }

    async fn create(
        &self,
        api: &Api,
        finder: &Finder,
        (call, name, spec): (&ApiCall, &Arc<str>, Option<&RemediationRequestSpec>),
        context: &Context,
    ) -> Result<CallOutcome, CallOutcome> {
        let fingerprint = context.fingerprint;
        if !self.hold(api, fingerprint).await?.none_active {
            // A claim that an earlier commit left open names `name`; kubernaut's gateway may have created an RR since.
            let others = finder.list(api, fingerprint, Some(name)).await;
            match others.result {
                ApiResult::Missing => self.table.change(fingerprint, |held| held.none_active = true),
                ApiResult::Rr(_) => {
                    self.table.change(fingerprint, |held| held.given_up = Some(Arc::clone(name)));
                    return Ok(CallOutcome::definite(ApiResult::Conflict));
                }
                _ => return Err(others),
            }
        }
        // An earlier create of this commit may still take effect, too, which a refusal of this one does not change.
        let earlier = self.table.get(fingerprint).is_some_and(|held| held.unsettled);
        self.table.change(fingerprint, |held| held.unsettled = true);
        let created = api.call(call, fingerprint, Some(context), spec).await;
        let refused = created.failure.as_ref().is_some_and(CallFailure::is_lasting);
        if created.result != ApiResult::Unknown || refused && !earlier {
            self.table.change(fingerprint, |held| held.unsettled = false);
        }
        Ok(created)
    }

    /// Reads an RR. One whose name this commit has given up and that does not exist counts as another fingerprint's, so that
    /// the protocol does not use the name.
    async fn get(&self, api: &Api, (call, name): (&ApiCall, &Arc<str>), context: &Context) -> CallOutcome {
        let read = api.call(call, context.fingerprint, Some(context), None).await;
        if read.result == ApiResult::Missing && self.table.has_given_up(context.fingerprint, name) {
            return CallOutcome::definite(ApiResult::Rr(unusable(name)));
        }
        read
    }

    /// Takes the lock, or renews it if this commit has held it for a while.
    async fn hold(&self, api: &Api, fingerprint: Fingerprint) -> Result<Held, CallOutcome> {
        let seen = self.table.get(fingerprint);
        let since = Instant::now();
        if let Some(held) = &seen {
            if since - held.since < RELIABLE {
                return Ok(held.clone());
            }
            let renewal = api.requests.take_over_lock(fingerprint, &held.lease.version);
            if let Some(lease) = write(api, renewal, "patch").await? {
                return Ok(self.table.put(fingerprint, Held { lease, since, ..held.clone() }));
            }
        }
        let lease = take(api, fingerprint).await?;
        // Under a lock that was lost, somebody else may have created an RR.
        let unsettled = seen.is_some_and(|held| held.unsettled);
        Ok(self.table.put(fingerprint, Held { unsettled, ..Held::new(lease, since) }))
    }
}

/// Deletes the lock. Whatever happens to the call, the lock expires.
pub(super) async fn release(api: &Api, HeldLock { fingerprint, uid, version }: HeldLock) {
    let kind = ResourceKind { verb: "delete", resource: LEASES };
    if let Ok(request) = api.requests.release_lock(fingerprint, &uid, &version) {
        let _ = api.send(kind, request).await;
    }
}

/// Takes the lock as kubernaut's gateway does: create it, or take over one that has expired.
async fn take(api: &Api, fingerprint: Fingerprint) -> Result<LockLease, CallOutcome> {
    let mut holder = None;
    for _ in 0..MAX_TRIES {
        if let Some(lease) = write(api, api.requests.create_lock(fingerprint), "create").await? {
            return Ok(lease);
        }
        let Some(lease) = read(api, fingerprint).await? else { continue };
        if lease.is_live(Timestamp::now()) && !api.requests.is_mine(&lease.holder) {
            holder = Some(lease.holder);
            break;
        }
        if let Some(lease) = write(api, api.requests.take_over_lock(fingerprint, &lease.version), "patch").await? {
            return Ok(lease);
        }
    }
    let failure = CallFailure::Locked { lease: lease::name(fingerprint), holder: holder.unwrap_or_default() };
    api.transport.metrics.lock_failure(failure.label());
    Err(CallOutcome::unknown(failure))
}

/// Writes the lock; `None` if somebody else was first.
async fn write(
    api: &Api,
    request: Result<Request<Vec<u8>>, Error>,
    verb: &'static str,
) -> Result<Option<LockLease>, CallOutcome> {
    let response = send(api, request, verb).await?;
    match response.status {
        status if status.is_success() => parse(&response.body).map(Some).map_err(CallOutcome::unknown),
        StatusCode::CONFLICT | StatusCode::NOT_FOUND if response::is_definite(&response.body) => Ok(None),
        status => Err(response::failed(status, response.retry_after, &response.body)),
    }
}

async fn read(api: &Api, fingerprint: Fingerprint) -> Result<Option<LockLease>, CallOutcome> {
    let response = send(api, api.requests.get_lock(fingerprint), "get").await?;
    match response.status {
        status if status.is_success() => parse(&response.body).map(Some).map_err(CallOutcome::unknown),
        StatusCode::NOT_FOUND if response::is_definite(&response.body) => Ok(None),
        status => Err(response::failed(status, response.retry_after, &response.body)),
    }
}

async fn send(
    api: &Api,
    request: Result<Request<Vec<u8>>, Error>,
    verb: &'static str,
) -> Result<ApiResponse, CallOutcome> {
    let request = request.map_err(|error| CallOutcome::unknown(error.into()))?;
    api.send_on_path(ResourceKind { verb, resource: LEASES }, request).await.map_err(CallOutcome::unknown)
}

fn parse(body: &[u8]) -> Result<LockLease, CallFailure> {
    LockLease::parse(body).map_err(|reason| CallFailure::Nonsense { reason })
}

/// What stands for an RR of this name that must not be created.
fn unusable(name: &Arc<str>) -> Rr {
    Rr {
        name: Arc::clone(name),
        uid: Arc::from(""),
        version: Arc::from(""),
        fingerprint_matches: false,
        creator: Arc::from(""),
        count: 0,
        phase: Phase::Terminal,
        first_seen_ms: None,
        last_seen_ms: None,
        signals: Arc::from([]),
    }
}

#[cfg(test)]
mod tests;
