//! Calls of the protocol as requests to the API server.
//!
//! Both kinds of update are merge patches that carry `metadata.resourceVersion`: a compare-and-swap that cannot drop
//! fields which somebody else has put there, and, unlike PUT, can never create what it does not find.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use kube::Resource;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::params::{GetParams, Preconditions};
use kube::core::request::{Error, Request};
use onceway_claim::{ApiCall, ClaimFields, Rr};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};

use super::{Context, Settings};
use crate::rr::{CREATOR, RemediationRequest};

/// `onceway.io/intent`, see [`ClaimFields::intent`].
pub(crate) const INTENT: &str = "onceway.io/intent";
/// `onceway.io/created`, see [`ClaimFields::created`].
pub(super) const CREATED: &str = "onceway.io/created";
/// `onceway.io/floor`, see [`ClaimFields::floor`].
pub(crate) const FLOOR: &str = "onceway.io/floor";

/// How many RRs of one fingerprint a list asks for at a time. One of the greatest `limits.maxStoredPayloadBytes` may be as
/// large as etcd allows, and a page is in memory as a whole.
const LIST_PAGE: u32 = 10;
/// The largest answer about one object that is read. etcd's own limit for an object is 1.5 MiB.
const MAX_OBJECT_BYTES: usize = 4 * 1024 * 1024;
/// The largest page of a list that is read: [`LIST_PAGE`] times etcd's limit, and some room.
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// The resource of claims.
pub(crate) const LEASES: &str = "leases";
/// The resource of RRs.
pub(crate) const RRS: &str = "remediationrequests";
/// The status of RRs.
pub(crate) const RR_STATUS: &str = "remediationrequests/status";

/// Selects what Onceway has made.
pub(crate) const CLAIM_LABELS: &str = "app.kubernetes.io/managed-by=onceway";
/// What the name of a claim begins with; the fingerprint follows.
const CLAIM_PREFIX: &str = "onceway-";

/// A call as metrics name it.
#[derive(Clone, Copy)]
pub(crate) struct ResourceKind {
    /// As RBAC names it.
    pub(crate) verb: &'static str,
    /// As RBAC names it.
    pub(crate) resource: &'static str,
}

impl ResourceKind {
    /// The largest answer that is read.
    pub(super) fn max_answer_bytes(self) -> usize {
        if self.verb == "list" { MAX_PAGE_BYTES } else { MAX_OBJECT_BYTES }
    }
}

/// The verb and resource of a call, as RBAC and audit logs name them.
pub(super) fn kind(call: &ApiCall) -> ResourceKind {
    let (verb, resource) = match call {
        ApiCall::GetClaim => ("get", LEASES),
        ApiCall::CreateClaim(_) => ("create", LEASES),
        ApiCall::UpdateClaim { .. } => ("patch", LEASES),
        ApiCall::DeleteClaim { .. } => ("delete", LEASES),
        ApiCall::FindRr { .. } => ("list", RRS),
        ApiCall::GetRr { .. } => ("get", RRS),
        ApiCall::CreateRr { .. } => ("create", RRS),
        ApiCall::Count { .. } => ("patch", RR_STATUS),
        ApiCall::DeleteRr { .. } => ("delete", RRS),
    };
    ResourceKind { verb, resource }
}

/// The name of a fingerprint's claim.
fn claim_name(fingerprint: Fingerprint) -> String {
    format!("{CLAIM_PREFIX}{fingerprint}")
}

/// The fingerprint of the claim of this name, if it is a claim's.
pub(crate) fn fingerprint_of_claim(name: &str) -> Option<Fingerprint> {
    name.strip_prefix(CLAIM_PREFIX)?.parse().ok()
}

/// Builds requests for one namespace.
pub(super) struct Requests {
    settings: Settings,
    leases: Request,
    rrs: Request,
}

impl Requests {
    pub(super) fn new(settings: Settings) -> Self {
        let namespace = Some(settings.namespace.as_str());
        let leases = Request::new(Lease::url_path(&(), namespace));
        let rrs = Request::new(RemediationRequest::url_path(&(), namespace));
        Self { settings, leases, rrs }
    }

    /// The request of `call`. Reads carry no resourceVersion, which makes them quorum reads.
    /// `batch` is there where the call is of a commit; without it nothing can be created or counted.
    pub(super) fn build(
        &self,
        call: &ApiCall,
        fingerprint: Fingerprint,
        batch: Option<&Context>,
    ) -> Result<http::Request<Vec<u8>>, Error> {
        let (get, post, patch) = (GetParams::default(), PostParams::default(), PatchParams::default());
        let claim = || claim_name(fingerprint);
        let batch = || batch.ok_or_else(|| Error::Validation("only a batch of signals is created or counted".into()));
        match call {
            ApiCall::GetClaim => self.leases.get(&claim(), &get),
            ApiCall::CreateClaim(fields) => self.leases.create(&post, bytes(&self.new_claim(&claim(), fields))?),
            ApiCall::UpdateClaim { version, fields } => {
                let mut body = self.claim_fields(fields);
                body["metadata"]["resourceVersion"] = json!(version.as_ref());
                self.leases.patch(&claim(), &patch, &Patch::Merge(body))
            }
            ApiCall::GetRr { name } => self.rrs.get(name, &get),
            ApiCall::FindRr { .. } => self.list_rrs(fingerprint, None),
            ApiCall::CreateRr { name } => self.rrs.create(&post, bytes(&self.new_rr(name, batch()?))?),
            ApiCall::Count { rr, count } => {
                let body = counted(rr, *count, batch()?);
                self.rrs.patch_subresource("status", &rr.name, &patch, &Patch::Merge(body))
            }
            ApiCall::DeleteRr { rr } => self.rrs.delete(&rr.name, &as_last_seen(&rr.uid, &rr.version)),
            ApiCall::DeleteClaim { claim: seen } => {
                self.leases.delete(&claim(), &as_last_seen(&seen.uid, &seen.version))
            }
        }
    }

    /// A page of the RRs of a fingerprint, the ended ones included: a quorum read, and a slow one.
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

    /// The part of a claim that its every write sets. `renewTime` makes sure that the write changes a byte: an API
    /// server does not bump the version for a write that changes none, and then it would fence nothing.
    fn claim_fields(&self, fields: &ClaimFields) -> Value {
        let now = MicroTime(Timestamp::now());
        let mut spec = json!({
            "holderIdentity": *fields.holder,
            "leaseDurationSeconds": self.settings.lease_duration.as_secs(),
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

    fn new_rr(&self, name: &str, context: &Context) -> Value {
        json!({
            "apiVersion": RemediationRequest::api_version(&()),
            "kind": RemediationRequest::kind(&()),
            "metadata": { "name": name, "labels": labels(), "annotations": { CREATOR: *self.settings.identity } },
            "spec": context.spec.as_ref().map(|spec| spec()),
        })
    }
}

fn labels() -> Value {
    json!({ "app.kubernetes.io/managed-by": "onceway", "app.kubernetes.io/component": "remediation" })
}

/// The status fields that are ours, and no other: the rest of the status belongs to other controllers.
fn counted(rr: &Rr, count: u32, context: &Context) -> Value {
    // Another replica may have counted a later signal before us.
    let last = rr.last_seen_ms.map_or(context.last_received, |ms| later(context.last_received, ms));
    let mut seen = json!({ "occurrenceCount": count, "lastSeenAt": Time(last) });
    if rr.first_seen_ms.is_none() {
        seen["firstSeenAt"] = json!(Time(context.first_received));
    }
    json!({
        "metadata": { "resourceVersion": *rr.version, "uid": *rr.uid },
        "status": { "deduplication": seen },
    })
}

fn later(at: Timestamp, unix_ms: u64) -> Timestamp {
    let other = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    other.map_or(at, |other| at.max(other))
}

fn as_last_seen(uid: &str, version: &str) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()) };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

fn bytes(body: &Value) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(Error::SerializeBody)
}

/// `at` as Unix milliseconds; 0 for times before 1970, which no clock of ours tells.
pub(super) fn unix_ms(at: Timestamp) -> u64 {
    u64::try_from(at.duration_since(Timestamp::UNIX_EPOCH).max(SignedDuration::ZERO).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
