//! Executes the claim protocol's calls against the API server: it builds a request, waits at most
//! `limits.apiCallTimeout` and reads the response. It decides nothing and retries nothing: the protocol
//! (`onceway-claim`) interprets the result, and the incident task decides when to call again.

mod api;
mod claim;
mod execute;
mod find;
mod gateway_lock;
mod held_lock;
mod measured;
mod outcome;
mod request;
mod resource;
mod response;

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use kube::Client;
use onceway_claim::ApiCall;
use onceway_signal::Fingerprint;
use serde::de::DeserializeOwned;

use self::api::{Api, ApiResponse};
pub(crate) use self::claim::{CLAIM_LABELS, FLOOR, INTENT, fingerprint_of_claim};
pub use self::execute::{Context, Execute};
use self::find::Finder;
use self::gateway_lock::GatewayLocks;
pub use self::held_lock::HeldLock;
pub use self::outcome::{CallFailure, CallOutcome};
use self::request::Requests;
pub(crate) use self::resource::{LEASES, RR_STATUS, RRS, ResourceKind};
use crate::health::permissions::PermissionRecheck;
use crate::index::Index;
use crate::metrics::Metrics;

/// Everything that one replica does at the API server, except the watch.
pub struct Executor {
    api: Api,
    finder: Finder,
    /// With `migration.kubernautLocks`.
    locks: Option<GatewayLocks>,
    index: Arc<Index>,
}

/// Settings of an [`Executor`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of RRs and claims.
    pub namespace: String,
    /// This process: `<POD_NAME>_<per-process id>`.
    pub identity: Arc<str>,
    /// `leaseDurationSeconds`.
    pub lease_duration: Duration,
    /// `limits.maxApiCallsInFlight`.
    pub max_calls_in_flight: usize,
    /// `limits.apiCallTimeout`.
    pub call_timeout: Duration,
    /// `migration.kubernautLocks`.
    pub kubernaut_locks: bool,
}

impl Executor {
    /// An executor over `client`, whose own retries must be off: they would repeat creates without the protocol's
    /// knowledge. A 401 or 403 requests a recheck of the permissions.
    pub fn new(
        client: Client,
        settings: Settings,
        index: Arc<Index>,
        recheck: PermissionRecheck,
        metrics: Arc<Metrics>,
    ) -> Self {
        let Settings { namespace, identity, lease_duration, max_calls_in_flight, call_timeout, kubernaut_locks } =
            settings;
        let requests = Requests::new(&namespace, identity, lease_duration);
        Self {
            api: Api::new(client, requests, max_calls_in_flight, call_timeout, recheck, metrics),
            finder: Finder::new(Arc::clone(&index)),
            locks: kubernaut_locks.then(GatewayLocks::default),
            index,
        }
    }

    /// Executes a call that no signal waits for: a read or a delete.
    pub(crate) async fn execute_off_path(&self, call: &ApiCall, fingerprint: Fingerprint) -> CallOutcome {
        self.api.call(call, fingerprint, None).await
    }

    /// Sends a request that is not part of the protocol, within the same limits and with the same metrics.
    ///
    /// # Errors
    /// If there is no response.
    pub(crate) async fn send(&self, kind: ResourceKind, request: Request<Vec<u8>>) -> Result<ApiResponse, CallFailure> {
        self.api.send(kind, request).await
    }

    /// Reads an object, or a page of a list; `None` if it does not exist.
    ///
    /// # Errors
    /// If the response is neither 2xx nor a definite 404.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        kind: ResourceKind,
        request: Request<Vec<u8>>,
    ) -> Result<Option<T>, CallFailure> {
        let ApiResponse { status, body, .. } = self.api.send(kind, request).await?;
        response::read_object(status, &body)
    }
}

impl Execute for Executor {
    async fn execute(&self, call: &ApiCall, context: &Context) -> CallOutcome {
        if let Some(locks) = &self.locks {
            return locks.execute(&self.api, &self.finder, call, context).await;
        }
        match call {
            ApiCall::FindRr { except } => self.finder.find(&self.api, context.fingerprint, except.as_ref()).await,
            _ => self.api.call(call, context.fingerprint, Some(context)).await,
        }
    }

    fn is_known_inactive(&self, fingerprint: Fingerprint, name: &str) -> bool {
        self.index.is_known_inactive(fingerprint, name)
    }

    fn end_commit(&self, fingerprint: Fingerprint) -> Option<HeldLock> {
        self.locks.as_ref()?.end(fingerprint)
    }

    async fn release_lock(&self, lock: HeldLock) {
        gateway_lock::release(&self.api, lock).await;
    }
}

#[cfg(test)]
mod tests;
