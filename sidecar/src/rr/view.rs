//! An RR as read from the API server: the only parser of RRs, for the executor's reads and lists, for GC and for the index.
//!
//! It borrows from the body and reads a few fields only: an RR carries a payload of 64 KiB and more that the sidecar never
//! needs again. Parsing is lenient, because one malformed object must not make a whole list unreadable for the index.
//! [`RrView::rr`], on which counts rest, is strict, except about the signal list, on which nothing rests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use onceway_claim::{Phase, Rr};
use onceway_signal::Fingerprint;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::resource::{CLAIM_VERSION, CREATOR, CompletionStatus, DeduplicatedSignal, RoutingStatus, is_terminal};
use super::signals::SignalList;
use super::time::unix_ms;

/// The kind of a namespace.
const NAMESPACE: &str = "Namespace";
/// The outcome that blocks new RRs of an incident until a human has reviewed this one.
const MANUAL_REVIEW: &str = "ManualReviewRequired";

/// The fields of an RR that the sidecar uses.
#[derive(Deserialize)]
pub struct RrView<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    spec: Spec<'a>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
}

/// A field that the protocol needs is missing or has the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is missing or malformed")]
pub struct Malformed(&'static str);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Option<Cow<'a, str>>,
    creation_timestamp: Option<Lenient<Time>>,
    deletion_timestamp: Option<IgnoredAny>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    signal_fingerprint: Option<Cow<'a, str>>,
    #[serde(borrow)]
    target_resource: Option<Lenient<TargetView<'a>>>,
}

#[derive(Deserialize)]
struct TargetView<'a> {
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    #[serde(borrow)]
    overall_phase: Option<Cow<'a, str>>,
    deduplication: Option<Seen>,
    completion_status: Option<Lenient<CompletionStatus>>,
    routing_status: Option<Lenient<RoutingStatus>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    occurrence_count: Option<i64>,
    first_seen_at: Option<Lenient<Time>>,
    last_seen_at: Option<Lenient<Time>>,
    signals: Option<Lenient<Vec<DeduplicatedSignal>>>,
}

/// A field that may be malformed; an error only for [`valid`].
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Valid(T),
    Malformed(IgnoredAny),
}

impl RrView<'_> {
    /// `metadata.name`; empty if missing.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// `metadata.uid`; empty if missing.
    pub fn uid(&self) -> &str {
        &self.metadata.uid
    }

    /// `metadata.resourceVersion`; empty if missing.
    pub fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }

    /// `metadata.creationTimestamp` in Unix seconds; 0 if missing.
    pub fn created_s(&self) -> i64 {
        match &self.metadata.creation_timestamp {
            Some(Lenient::Valid(time)) => time.0.as_second(),
            _ => 0,
        }
    }

    /// `spec.signalFingerprint`, if it is one.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.spec.signal_fingerprint.as_deref()?.parse().ok()
    }

    /// The namespace of the target, or the target's name if it is a namespace; empty: none.
    pub fn target_namespace(&self) -> &str {
        match &self.spec.target_resource {
            Some(Lenient::Valid(TargetView { namespace: Some(namespace), .. })) => namespace,
            Some(Lenient::Valid(TargetView { kind, name, .. })) if kind == NAMESPACE => name,
            _ => "",
        }
    }

    /// The identity of the sidecar that created the RR; `None` if something else created it.
    pub fn creator(&self) -> Option<&str> {
        self.metadata.annotations.get(CREATOR).map(String::as_str)
    }

    /// The version of the claim under which a sidecar created the RR; `None` if it has none.
    pub fn claim_version(&self) -> Option<&str> {
        self.metadata.annotations.get(CLAIM_VERSION).map(String::as_str)
    }

    /// `status.overallPhase`; empty if missing.
    pub fn overall_phase(&self) -> &str {
        self.status.as_ref().and_then(|status| status.overall_phase.as_deref()).unwrap_or_default()
    }

    /// `status.deduplication.occurrenceCount`; 0 if missing.
    pub fn occurrence_count(&self) -> i64 {
        self.seen().and_then(|seen| seen.occurrence_count).unwrap_or(0)
    }

    /// Whether the RR is neither terminal nor being deleted.
    pub fn is_active(&self) -> bool {
        self.metadata.deletion_timestamp.is_none() && !is_terminal(self.overall_phase())
    }

    /// The RR as the protocol sees it, for the incident of this fingerprint.
    ///
    /// # Errors
    /// If a field that the protocol needs is missing or malformed.
    pub fn rr(&self, fingerprint: Fingerprint) -> Result<Rr, Malformed> {
        let of = self.spec.signal_fingerprint.as_deref().ok_or(Malformed("spec.signalFingerprint"))?;
        let count =
            i32::try_from(self.occurrence_count()).map_err(|_| Malformed("status.deduplication.occurrenceCount"))?;
        let seen_at = |at: fn(&Seen) -> Option<&Lenient<Time>>, field| valid(self.seen().and_then(at), field);
        let first_seen = seen_at(|seen| seen.first_seen_at.as_ref(), "status.deduplication.firstSeenAt")?;
        let last_seen = seen_at(|seen| seen.last_seen_at.as_ref(), "status.deduplication.lastSeenAt")?;
        let count = u32::try_from(count).unwrap_or(0);
        Ok(Rr {
            name: required(self.name(), "metadata.name")?,
            uid: required(self.uid(), "metadata.uid")?,
            version: required(self.resource_version(), "metadata.resourceVersion")?,
            fingerprint_matches: of == &*fingerprint.hex(),
            creator: self.creator().unwrap_or_default().into(),
            count,
            phase: self.phase()?,
            first_seen_ms: first_seen.map(|time| unix_ms(time.0)),
            last_seen_ms: last_seen.map(|time| unix_ms(time.0)),
            signals: self.signals(count).into(),
        })
    }

    /// The signal list of an RR that counts `count` signals; empty if it is malformed, because that must not stop counts.
    fn signals(&self, count: u32) -> SignalList {
        match self.seen().and_then(|seen| seen.signals.as_ref()) {
            Some(Lenient::Valid(stored)) => SignalList::of_stored(stored, count),
            _ => SignalList::default(),
        }
    }

    /// Whether the RR takes signals. One that is being deleted takes none and blocks nothing: it is about to disappear.
    fn phase(&self) -> Result<Phase, Malformed> {
        let status = self.status.as_ref();
        let completion = valid(status.and_then(|status| status.completion_status.as_ref()), "status.completionStatus")?;
        let routing = valid(status.and_then(|status| status.routing_status.as_ref()), "status.routingStatus")?;
        let outcome = completion.and_then(|completion| completion.outcome.as_deref());
        Ok(match routing.and_then(|routing| routing.next_allowed_execution.as_ref()) {
            _ if self.is_active() => Phase::Active,
            _ if self.metadata.deletion_timestamp.is_some() => Phase::Terminal,
            _ if outcome == Some(MANUAL_REVIEW) => Phase::ManualReview,
            Some(time) => Phase::NotBefore(unix_ms(time.0)),
            None => Phase::Terminal,
        })
    }

    fn seen(&self) -> Option<&Seen> {
        self.status.as_ref()?.deduplication.as_ref()
    }
}

fn required(text: &str, field: &'static str) -> Result<Arc<str>, Malformed> {
    if text.is_empty() { Err(Malformed(field)) } else { Ok(text.into()) }
}

/// The field's value, if it has one.
fn valid<'a, T>(field: Option<&'a Lenient<T>>, name: &'static str) -> Result<Option<&'a T>, Malformed> {
    match field {
        None => Ok(None),
        Some(Lenient::Valid(value)) => Ok(Some(value)),
        Some(Lenient::Malformed(_)) => Err(Malformed(name)),
    }
}

#[cfg(test)]
mod tests;
