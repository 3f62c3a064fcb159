//! An RR as the index sees it. Nothing else of the object is kept: neither the payload nor the managed fields.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use onceway_signal::Fingerprint;
use serde::{Deserialize, Deserializer};

use crate::rr::{RemediationRequest, RrView};

/// The fields of an RR that the index and GC use.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The fields that kube's watcher uses: name, uid and resourceVersion.
    metadata: ObjectMeta,
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.creationTimestamp` in Unix seconds.
    pub created_s: i64,
    /// `spec.signalFingerprint`, if it is one: a single bad object must not make the whole list unreadable.
    pub fingerprint: Option<Fingerprint>,
    /// The namespace of its target; empty: none.
    pub namespace: Arc<str>,
    /// Whether it is neither terminal nor being deleted.
    pub active: bool,
    /// Whether no controller has started to work on it.
    pub unstarted: bool,
    /// `status.deduplication.occurrenceCount`.
    pub count: i64,
    /// Whether a sidecar created it.
    pub created_by_sidecar: bool,
    /// The version of the claim under which a sidecar created it, if that is a number, as it is today.
    pub claim_version: Option<u64>,
}

impl Observed {
    /// Whether it may be a late create: active, created by a sidecar, and without a count.
    pub fn may_be_late_create(&self) -> bool {
        self.active && self.created_by_sidecar && self.count == 0
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

impl From<&RrView<'_>> for Observed {
    fn from(view: &RrView<'_>) -> Self {
        let resource_version = Some(view.resource_version()).filter(|version| !version.is_empty());
        Self {
            name: view.name().into(),
            created_s: view.created_s(),
            fingerprint: view.fingerprint(),
            namespace: view.target_namespace().into(),
            active: view.is_active(),
            unstarted: matches!(view.overall_phase(), "" | "Pending"),
            count: view.occurrence_count(),
            created_by_sidecar: view.creator().is_some(),
            claim_version: view.claim_version().and_then(|version| version.parse().ok()),
            metadata: ObjectMeta {
                name: Some(view.name().to_owned()),
                uid: Some(view.uid().to_owned()),
                resource_version: resource_version.map(str::to_owned),
                ..ObjectMeta::default()
            },
        }
    }
}

impl<'de> Deserialize<'de> for Observed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RrView::deserialize(deserializer).map(|view| Self::from(&view))
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
