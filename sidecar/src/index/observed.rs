//! An RR as the index sees it: decoded without keeping anything else of it, payload and managed fields least of all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use onceway_signal::Fingerprint;
use serde::{Deserialize, Deserializer};

use crate::rr::{CREATOR, RemediationRequest, is_terminal};

/// What the index needs of an RR.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What the watch itself needs: name, uid and version.
    metadata: ObjectMeta,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.creationTimestamp` in Unix seconds.
    pub created_s: i64,
    /// `spec.signalFingerprint`, if it is one: a single bad object must not make the whole list unreadable.
    pub fingerprint: Option<Fingerprint>,
    /// Neither terminal nor being deleted.
    pub active: bool,
    /// Whether no controller has begun to work on it.
    pub unstarted: bool,
    /// `status.deduplication.occurrenceCount`.
    pub count: i64,
    /// Whether it has `onceway.io/creator`, which only a sidecar sets.
    pub has_creator: bool,
}

impl Observed {
    /// Whether it may have been created too late.
    pub fn is_active_uncounted_with_creator(&self) -> bool {
        self.active && self.has_creator && self.count == 0
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// `metadata.resourceVersion`.
    pub fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_deref().unwrap_or_default()
    }
}

impl Resource for Observed {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        RemediationRequest::kind(&())
    }
    fn group((): &()) -> Cow<'_, str> {
        RemediationRequest::group(&())
    }
    fn version((): &()) -> Cow<'_, str> {
        <RemediationRequest as Resource>::version(&())
    }
    fn plural((): &()) -> Cow<'_, str> {
        RemediationRequest::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[derive(Deserialize)]
struct Raw {
    metadata: RawMeta,
    #[serde(default)]
    spec: RawSpec,
    #[serde(default)]
    status: RawStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMeta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    uid: String,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSpec {
    #[serde(default)]
    signal_fingerprint: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawStatus {
    overall_phase: Option<String>,
    deduplication: Option<RawDeduplication>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDeduplication {
    occurrence_count: Option<i64>,
}

impl<'de> Deserialize<'de> for Observed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Raw { metadata, spec, status } = Raw::deserialize(deserializer)?;
        let phase = status.overall_phase.unwrap_or_default();
        Ok(Self {
            name: metadata.name.as_str().into(),
            created_s: metadata.creation_timestamp.map_or(0, |at| at.0.as_second()),
            fingerprint: spec.signal_fingerprint.parse().ok(),
            active: metadata.deletion_timestamp.is_none() && !is_terminal(&phase),
            unstarted: matches!(phase.as_str(), "" | "Pending"),
            count: status.deduplication.and_then(|seen| seen.occurrence_count).unwrap_or(0),
            has_creator: metadata.annotations.contains_key(CREATOR),
            metadata: ObjectMeta {
                name: Some(metadata.name),
                uid: Some(metadata.uid),
                resource_version: metadata.resource_version,
                ..ObjectMeta::default()
            },
        })
    }
}
