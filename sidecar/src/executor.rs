//! Executes the claim protocol's calls against the API server: it builds a request, waits at most
//! `limits.apiCallTimeout` and reads the response. It decides nothing and retries nothing: the protocol
//! (`onceway-claim`) interprets the result, and the incident task decides when to call again.

mod api;
mod claim;
mod execute;
mod find;
mod gateway_lock;
mod held_lock;
mod load;
mod measured;
mod metadata;
mod outcome;
mod request;
mod resource;
mod response;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use kube::Client;
use onceway_claim::{ApiCall, ApiResult};
use onceway_signal::Fingerprint;
use serde::de::DeserializeOwned;

use self::api::Api;
pub(crate) use self::claim::{CLAIM_LABELS, FLOOR, INTENT, claim_name, fingerprint_of_claim};
pub use self::execute::{Context, Execute};
use self::find::Finder;
use self::gateway_lock::GatewayLocks;
pub use self::held_lock::HeldLock;
pub use self::load::Expected;
pub use self::metadata::MetadataReader;
pub use self::outcome::{CallFailure, CallOutcome};
use self::request::Requests;
pub(crate) use self::resource::{LEASES, RR_STATUS, RRS, ResourceKind};
use self::transport::{ApiResponse, Transport};
use crate::health::permissions::PermissionRecheck;
use crate::index::Index;
use crate::metrics::Metrics;
use crate::rr::RemediationRequestSpec;
use crate::traces::SpanKind;
use crate::workload::Workloads;

/// Everything that one replica does at the API server, except the watch.
pub struct Executor {
    api: Api,
    finder: Finder,
    /// With `migration.kubernautLocks`.
    locks: Option<GatewayLocks>,
    index: Arc<Index>,
    workloads: Workloads,
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
        workloads: Workloads,
        recheck: PermissionRecheck,
        metrics: Arc<Metrics>,
    ) -> Self {
        let Settings { namespace, identity, lease_duration, max_calls_in_flight, call_timeout, kubernaut_locks } =
            settings;
        let requests = Requests::new(&namespace, identity, lease_duration);
        let transport = Transport::new(client, max_calls_in_flight, call_timeout, recheck, metrics);
        Self {
            api: Api { transport, requests },
            finder: Finder::new(Arc::clone(&index)),
            locks: kubernaut_locks.then(GatewayLocks::default),
            index,
            workloads,
        }
    }

    /// Executes a call that no signal waits for: a read or a delete.
    pub(crate) async fn execute_off_path(&self, call: &ApiCall, fingerprint: Fingerprint) -> CallOutcome {
        let seen = self.has_seen(call, fingerprint);
        gone_if(seen, self.api.call(call, fingerprint, None, None).await)
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

    /// Whether the batch of this call is about to create an RR, so that its workload may be looked for beside the call. A
    /// first incident is so from its first call; one that had an RR, or may have one, once an open claim is written.
    fn is_about_to_create(&self, call: &ApiCall, context: &Context) -> bool {
        match call {
            ApiCall::GetClaim => self.index.is_new(context.fingerprint),
            ApiCall::CreateClaim(fields) | ApiCall::UpdateClaim { fields, .. } => !fields.created,
            _ => false,
        }
    }

    /// Whether this call reads an RR that was seen, created under the claim's version. To be asked before the call is sent: the
    /// index may learn of an RR that is created after the read and before its response.
    fn has_seen(&self, call: &ApiCall, fingerprint: Fingerprint) -> bool {
        match call {
            ApiCall::GetRr { name, under: Some(under) } => self.index.has_seen(fingerprint, name, under),
            _ => false,
        }
    }

    /// The spec of the batch's new RR, with the workload that was found: the same, however often it is created.
    async fn spec(&self, context: &Context) -> Option<RemediationRequestSpec> {
        let write = context.spec.as_ref()?;
        let found = context.target.find(&self.workloads).await;
        Some(RemediationRequestSpec { target_resource: found.target.clone(), ..write() })
    }
}

impl Execute for Executor {
    async fn execute(&self, call: &ApiCall, context: &Context) -> CallOutcome {
        if !context.trace.is_recorded() {
            return self.execute_call(call, context).await;
        }
        let ResourceKind { verb, resource } = ResourceKind::of(call);
        let trace = context.trace.child(format!("{verb} {resource}"), SpanKind::Client);
        trace.set("k8s.verb", || verb);
        trace.set("k8s.resource", || resource);
        let outcome = self.execute_call(call, context).await;
        trace.set("onceway.outcome", || outcome.label());
        if let Some(failure) = &outcome.failure {
            trace.fail(|| failure.to_string());
        }
        outcome
    }

    fn is_known_inactive(&self, fingerprint: Fingerprint, name: &str) -> bool {
        self.index.is_known_inactive(fingerprint, name)
    }

    fn expected(&self) -> Expected {
        self.api.transport.load.expected()
    }

    fn is_new(&self, fingerprint: Fingerprint) -> bool {
        // With locks a search takes one and lists: a read of the claim that finds an RR spares that.
        self.locks.is_none() && self.index.is_new(fingerprint)
    }

    fn end_commit(&self, fingerprint: Fingerprint) -> Option<HeldLock> {
        self.locks.as_ref()?.end(fingerprint)
    }

    async fn release_lock(&self, lock: HeldLock) {
        gateway_lock::release(&self.api, lock).await;
    }
}

impl Executor {
    async fn execute_call(&self, call: &ApiCall, context: &Context) -> CallOutcome {
        if context.spec.is_some() && self.is_about_to_create(call, context) {
            context.target.begin(&self.workloads);
        }
        // Before a lock is taken or renewed, which is relied on for a short time.
        let spec = if matches!(call, ApiCall::CreateRr { .. }) { self.spec(context).await } else { None };
        let seen = self.has_seen(call, context.fingerprint);
        let outcome = match (call, &self.locks) {
            (_, Some(locks)) => locks.execute(&self.api, &self.finder, (call, spec.as_ref()), context).await,
            (ApiCall::FindRr { except }, None) => {
                self.finder.find(&self.api, context.fingerprint, except.as_ref()).await
            }
            (_, None) => self.api.call(call, context.fingerprint, Some(context), spec.as_ref()).await,
        };
        gone_if(seen, outcome)
    }
}

/// The outcome of a read of an RR that was `seen` before it: one that is missing was deleted.
fn gone_if(seen: bool, outcome: CallOutcome) -> CallOutcome {
    match outcome.result {
        ApiResult::Missing if seen => CallOutcome { result: ApiResult::Gone, ..outcome },
        _ => outcome,
    }
}

#[cfg(test)]
mod tests;
