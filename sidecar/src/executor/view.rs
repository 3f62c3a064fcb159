//! The few fields that the protocol decides upon, read out of an object without keeping the rest of it: an RR carries
//! up to 64 KiB of payload that nobody here looks at.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Claim, ClaimFields, Phase, Rr};
use onceway_signal::Fingerprint;
use serde::Deserialize;

use super::request::{CREATED, FLOOR, INTENT, unix_ms};
use super::response::CallFailure;
use crate::rr::{CREATOR, RemediationRequestStatus, is_terminal};

/// The outcome that keeps an incident closed until a human has looked at it.
const MANUAL_REVIEW: &str = "ManualReviewRequired";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    #[serde(borrow)]
    creation_timestamp: Option<Cow<'a, str>>,
    deletion_timestamp: Option<&'a serde_json::value::RawValue>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct LeaseView<'a> {
    #[serde(borrow)]
    metadata: Meta<'a>,
    spec: LeaseSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseSpec {
    holder_identity: Option<String>,
    lease_transitions: Option<i32>,
}

#[derive(Deserialize)]
struct RrView<'a> {
    #[serde(borrow)]
    metadata: Meta<'a>,
    #[serde(borrow)]
    spec: RrSpec<'a>,
    status: Option<RemediationRequestStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RrSpec<'a> {
    #[serde(borrow)]
    signal_fingerprint: Cow<'a, str>,
}

/// A page of a list.
#[derive(Deserialize)]
struct List<'a> {
    metadata: ListMeta,
    #[serde(borrow)]
    items: Vec<RrView<'a>>,
}

#[derive(Deserialize)]
struct ListMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// A page of the RRs of a fingerprint: each with its age as RFC 3339 text, which sorts as it is, and the token of the next.
pub(super) struct Page {
    pub(super) rrs: Vec<(String, Rr)>,
    pub(super) next: Option<String>,
}

/// Reads a page of a list.
pub(super) fn page(fingerprint: Fingerprint, body: &[u8]) -> Result<Page, CallFailure> {
    let List { metadata, items } = parse(body)?;
    let aged = |view: RrView<'_>| {
        let created = view.metadata.creation_timestamp.as_deref().unwrap_or_default().to_owned();
        (created, rr(view, fingerprint))
    };
    Ok(Page { rrs: items.into_iter().map(aged).collect(), next: metadata.next.filter(|next| !next.is_empty()) })
}

/// Reads the body of a 2xx. The error says what is wrong with it.
pub(super) fn read(call: &ApiCall, fingerprint: Fingerprint, body: &[u8]) -> Result<ApiResult, CallFailure> {
    match call {
        ApiCall::GetClaim | ApiCall::CreateClaim(_) | ApiCall::UpdateClaim { .. } => {
            parse::<LeaseView<'_>>(body).and_then(claim).map(ApiResult::Claim)
        }
        ApiCall::GetRr { .. } | ApiCall::CreateRr { .. } | ApiCall::Count { .. } => {
            parse::<RrView<'_>>(body).map(|view| ApiResult::Rr(rr(view, fingerprint)))
        }
        ApiCall::DeleteRr { .. } | ApiCall::DeleteClaim { .. } => Ok(ApiResult::Deleted),
        ApiCall::FindRr { .. } => Err(CallFailure::Nonsense { reason: "a list is read page by page".into() }),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, CallFailure> {
    serde_json::from_slice(body).map_err(|error| CallFailure::Nonsense { reason: error.to_string() })
}

fn claim(view: LeaseView<'_>) -> Result<Claim, CallFailure> {
    let Meta { name, uid, resource_version, annotations, .. } = view.metadata;
    let fields = ClaimFields {
        holder: view.spec.holder_identity.unwrap_or_default().into(),
        intent: annotation::<String>(&annotations, INTENT, &name)?.into(),
        created: annotation(&annotations, CREATED, &name)?,
        floor: annotation(&annotations, FLOOR, &name)?,
        transitions: view.spec.lease_transitions.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
    };
    Ok(Claim { uid: uid.as_ref().into(), version: resource_version.as_ref().into(), fields })
}

fn annotation<T: FromStr>(annotations: &BTreeMap<String, String>, key: &str, lease: &str) -> Result<T, CallFailure> {
    annotations.get(key).and_then(|text| text.parse().ok()).ok_or_else(|| CallFailure::Unusable {
        reason: format!(
            "the Lease {lease} has no usable annotation {key}; somebody else has made or changed it: once no \
             RemediationRequest of its fingerprint is active, delete it"
        ),
    })
}

fn rr(view: RrView<'_>, fingerprint: Fingerprint) -> Rr {
    let status = view.status.unwrap_or_default();
    let Meta { name, uid, resource_version, deletion_timestamp, annotations, .. } = view.metadata;
    let phase = phase(&status, deletion_timestamp.is_some());
    let seen = status.deduplication.unwrap_or_default();
    Rr {
        name: name.as_ref().into(),
        uid: uid.as_ref().into(),
        version: resource_version.as_ref().into(),
        fingerprint_matches: view.spec.signal_fingerprint == *fingerprint.hex(),
        creator: annotations.get(CREATOR).map_or_else(|| Arc::from(""), |text| Arc::from(text.as_str())),
        count: seen.occurrence_count.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        phase,
        first_seen_ms: seen.first_seen_at.map(|at| unix_ms(at.0)),
        last_seen_ms: seen.last_seen_at.map(|at| unix_ms(at.0)),
    }
}

/// What an RR's status means for signals. One that is being deleted is over and blocks nothing: it will be gone.
fn phase(status: &RemediationRequestStatus, deleting: bool) -> Phase {
    let outcome = status.completion_status.as_ref().and_then(|completion| completion.outcome.as_deref());
    let not_before = status.routing_status.as_ref().and_then(|routing| routing.next_allowed_execution.as_ref());
    match (status.overall_phase.as_deref().unwrap_or_default(), not_before) {
        _ if deleting => Phase::Terminal,
        (phase, _) if !is_terminal(phase) => Phase::Active,
        _ if outcome == Some(MANUAL_REVIEW) => Phase::ManualReview,
        (_, Some(time)) => Phase::NotBefore(unix_ms(time.0)),
        _ => Phase::Terminal,
    }
}

#[cfg(test)]
mod tests;
