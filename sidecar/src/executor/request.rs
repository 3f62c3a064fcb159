//! Calls of the protocol as requests to the API server.
//!
//! Both kinds of update are merge patches that carry `metadata.resourceVersion`: a compare-and-swap that cannot drop
//! fields which somebody else has put there, and, unlike PUT, can never create what it does not find.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use kube::Resource;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::params::{GetParams, Preconditions};
use kube::core::request::{Error, Request};
use onceway_claim::{Call, ClaimFields, Rr};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};

use super::{Context, Settings};
use crate::rr::RemediationRequest;

/// `onceway.io/intent`, see [`ClaimFields::intent`].
pub(super) const INTENT: &str = "onceway.io/intent";
/// `onceway.io/created`, see [`ClaimFields::created`].
pub(super) const CREATED: &str = "onceway.io/created";
/// `onceway.io/floor`, see [`ClaimFields::floor`].
pub(super) const FLOOR: &str = "onceway.io/floor";
/// `onceway.io/creator`, see [`Rr::creator`].
pub(super) const CREATOR: &str = "onceway.io/creator";

/// The resource of claims.
pub(super) const LEASES: &str = "leases";
/// The resource of RRs.
const RRS: &str = "remediationrequests";

/// A call as metrics name it.
pub(super) struct Kind {
    pub(super) verb: &'static str,
    pub(super) resource: &'static str,
}

/// The verb and resource of a call, as RBAC and audit logs name them.
pub(super) fn kind(call: &Call) -> Kind {
    let (verb, resource) = match call {
        Call::GetClaim => ("get", LEASES),
        Call::CreateClaim(_) => ("create", LEASES),
        Call::UpdateClaim { .. } => ("patch", LEASES),
        Call::GetRr { .. } => ("get", RRS),
        Call::CreateRr { .. } => ("create", RRS),
        Call::Count { .. } => ("patch", "remediationrequests/status"),
        Call::DeleteRr { .. } => ("delete", RRS),
    };
    Kind { verb, resource }
}

/// The name of a fingerprint's claim.
pub(super) fn claim_name(fingerprint: Fingerprint) -> String {
    format!("onceway-{fingerprint}")
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
    pub(super) fn build(&self, call: &Call, context: &Context) -> Result<http::Request<Vec<u8>>, Error> {
        let (get, post, patch) = (GetParams::default(), PostParams::default(), PatchParams::default());
        let claim = || claim_name(context.fingerprint);
        match call {
            Call::GetClaim => self.leases.get(&claim(), &get),
            Call::CreateClaim(fields) => self.leases.create(&post, bytes(&self.new_claim(&claim(), fields))?),
            Call::UpdateClaim { version, fields } => {
                let mut body = self.claim_fields(fields);
                body["metadata"]["resourceVersion"] = json!(version.as_ref());
                self.leases.patch(&claim(), &patch, &Patch::Merge(body))
            }
            Call::GetRr { name } => self.rrs.get(name, &get),
            Call::CreateRr { name } => self.rrs.create(&post, bytes(&self.new_rr(name, context))?),
            Call::Count { rr, count } => {
                self.rrs.patch_subresource("status", &rr.name, &patch, &Patch::Merge(counted(rr, *count, context)))
            }
            Call::DeleteRr { rr } => self.rrs.delete(&rr.name, &as_last_seen(rr)),
        }
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
            "spec": (context.spec)(),
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

fn as_last_seen(rr: &Rr) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(rr.uid.to_string()), resource_version: Some(rr.version.to_string()) };
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
