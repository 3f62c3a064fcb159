//! Builds the HTTP requests of the protocol's calls.
//!
//! Both updates are merge patches with `metadata.resourceVersion`: a compare-and-swap that keeps the fields of other
//! writers and, unlike PUT, cannot create a missing object.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use kube::Resource;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::params::{GetParams, Preconditions};
use kube::core::request::{Error, Request};
use onceway_claim::{ApiCall, ClaimFields, Rr};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};

use super::claim::{CREATED, FLOOR, INTENT, claim_name};
use super::execute::Context;
use super::resource::LIST_PAGE;
use crate::rr::{CLAIM_VERSION, CREATOR, RemediationRequest, RemediationRequestSpec, SignalList, timestamp};

/// Builds requests for one namespace.
pub(super) struct Requests {
    pub(super) identity: Arc<str>,
    lease_duration: Duration,
    pub(super) leases: Request,
    rrs: Request,
}

impl Requests {
    pub(super) fn new(namespace: &str, identity: Arc<str>, lease_duration: Duration) -> Self {
        let leases = Request::new(Lease::url_path(&(), Some(namespace)));
        let rrs = Request::new(RemediationRequest::url_path(&(), Some(namespace)));
        Self { identity, lease_duration, leases, rrs }
    }

    /// The request of `call`. Reads carry no resourceVersion, which makes them quorum reads. Creates of an RR and counts
    /// need a `batch`, and creates of an RR its `spec`.
    ///
    /// # Errors
    /// If a part of the request is invalid, or the batch or the spec is missing.
    pub(super) fn build(
        &self,
        call: &ApiCall,
        fingerprint: Fingerprint,
        batch: Option<&Context>,
        spec: Option<&RemediationRequestSpec>,
    ) -> Result<http::Request<Vec<u8>>, Error> {
        let (get, post, patch) = (GetParams::default(), PostParams::default(), PatchParams::default());
        let claim = || claim_name(fingerprint);
        let batch = || batch.ok_or_else(|| Error::Validation("this call needs a batch of signals".into()));
        let spec = || spec.ok_or_else(|| Error::Validation("this call needs a spec".into()));
        match call {
            ApiCall::GetClaim => self.leases.get(&claim(), &get),
            ApiCall::CreateClaim(fields) => self.leases.create(&post, bytes(&self.new_claim(&claim(), fields))?),
            ApiCall::UpdateClaim { version, fields } => {
                let mut body = self.claim_fields(fields);
                body["metadata"]["resourceVersion"] = json!(version.as_ref());
                self.leases.patch(&claim(), &patch, &Patch::Merge(body))
            }
            ApiCall::GetRr { name, .. } => self.rrs.get(name, &get),
            ApiCall::FindRr { .. } => self.list_rrs(fingerprint, None),
            ApiCall::CreateRr { name, under } => {
                self.rrs.create(&post, bytes(&self.new_rr(name, under, batch()?, spec()?))?)
            }
            ApiCall::Count { rr, count } => {
                let body = count_patch(rr, *count, batch()?);
                self.rrs.patch_subresource("status", &rr.name, &patch, &Patch::Merge(body))
            }
            ApiCall::DeleteRr { rr } => self.rrs.delete(&rr.name, &as_last_seen(&rr.uid, &rr.version)),
            ApiCall::DeleteClaim { claim: seen } => {
                self.leases.delete(&claim(), &as_last_seen(&seen.uid, &seen.version))
            }
        }
    }

    /// A page of the RRs of a fingerprint, terminal ones included. A quorum read, and a slow one.
    pub(super) fn list_rrs(
        &self,
        fingerprint: Fingerprint,
        after: Option<&str>,
    ) -> Result<http::Request<Vec<u8>>, Error> {
        let of_incident = ListParams::default().fields(&format!("spec.signalFingerprint={fingerprint}"));
        let page = of_incident.limit(LIST_PAGE);
        self.rrs.list(&after.map_or(page.clone(), |after| page.continue_token(after)))
    }

    fn new_claim(&self, name: &str, fields: &ClaimFields) -> Value {
        let mut body = self.claim_fields(fields);
        body["apiVersion"] = json!(Lease::api_version(&()));
        body["kind"] = json!(Lease::kind(&()));
        body["metadata"]["name"] = json!(name);
        body["metadata"]["labels"] = labels();
        body
    }

    /// The fields that every write of a claim sets. `renewTime` ensures that the write changes a byte: the API server does
    /// not bump the version of a write that changes nothing, and such a write would fence nothing.
    fn claim_fields(&self, fields: &ClaimFields) -> Value {
        let now = MicroTime(Timestamp::now());
        let mut spec = json!({
            "holderIdentity": *fields.holder,
            "leaseDurationSeconds": self.lease_duration.as_secs(),
            "leaseTransitions": fields.transitions,
            "renewTime": now,
        });
        if !fields.holder.is_empty() {
            spec["acquireTime"] = json!(now);
        }
        let annotations = json!({
            INTENT: *fields.intent,
            CREATED: fields.created.to_string(),
            FLOOR: fields.floor.to_string(),
        });
        json!({ "metadata": { "annotations": annotations }, "spec": spec })
    }

    fn new_rr(&self, name: &str, under: &str, context: &Context, spec: &RemediationRequestSpec) -> Value {
        let mut annotations = context.provenance.annotations();
        annotations.insert(CREATOR, &*self.identity);
        annotations.insert(CLAIM_VERSION, under);
        json!({
            "apiVersion": RemediationRequest::api_version(&()),
            "kind": RemediationRequest::kind(&()),
            "metadata": { "name": name, "labels": labels(), "annotations": annotations },
            "spec": spec,
        })
    }
}

fn labels() -> Value {
    json!({ "app.kubernetes.io/managed-by": "onceway", "app.kubernetes.io/component": "remediation" })
}

/// Patches the fields of a count and no others: the rest of the status belongs to other controllers.
fn count_patch(rr: &Rr, count: u32, context: &Context) -> Value {
    // Another replica may already have counted a later signal.
    let last = rr.last_seen_ms.map_or(context.last_received, |ms| later(context.last_received, ms));
    let mut seen = json!({ "occurrenceCount": count, "lastSeenAt": Time(last) });
    if rr.first_seen_ms.is_none() {
        seen["firstSeenAt"] = json!(Time(context.first_received));
    }
    if let Some(signals) = signals(rr, count, &context.by_name) {
        let signals = signals.stored();
        seen["distinctSignals"] = json!(signals.len());
        seen["signals"] = json!(signals);
    }
    json!({
        "metadata": { "resourceVersion": *rr.version, "uid": *rr.uid },
        "status": { "deduplication": seen },
    })
}

/// The RR's signal list with the batch's signals. A merge patch replaces a list as a whole, and the compare-and-swap
/// ensures that the RR still has the list that this one extends. `None` where the count grows by another number: it has
/// reached its maximum, and the list must not exceed it.
fn signals(rr: &Rr, count: u32, batch: &SignalList) -> Option<SignalList> {
    let mut signals = SignalList::of(rr);
    signals.merge(batch);
    (count.checked_sub(rr.count).map(u64::from) == Some(batch.total())).then_some(signals)
}

fn later(at: Timestamp, unix_ms: u64) -> Timestamp {
    timestamp(unix_ms).map_or(at, |other| at.max(other))
}

/// Preconditions: the object as it was last read or written.
pub(super) fn as_last_seen(uid: &str, version: &str) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()) };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

pub(super) fn bytes(body: &Value) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(Error::SerializeBody)
}

#[cfg(test)]
mod tests;
