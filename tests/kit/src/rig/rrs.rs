//! The `RemediationRequest`s of a rig as the API server holds them: the state that tests compare with.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use onceway::rr::{
    DeduplicatedSignal, RemediationRequest, RemediationRequestSpec, SIGNAL_TYPE, TargetResource, TargetType,
};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};

use super::running::Rig;
use crate::payload::Incident;

/// A `RemediationRequest`.
pub type Rr = RemediationRequest;

/// Accessors that tests use.
pub trait RrExt {
    /// Its `occurrenceCount`; 0 if not set yet.
    fn count(&self) -> u64;
    /// Its signal list; `None` if it has none.
    fn signals(&self) -> Option<&[DeduplicatedSignal]>;
    /// The sum of the counts in its signal list.
    fn listed(&self) -> Option<u64>;
    /// Its name.
    fn name(&self) -> &str;
}

impl RrExt for Rr {
    fn count(&self) -> u64 {
        let deduplication = self.status.as_ref().and_then(|status| status.deduplication.as_ref());
        let count = deduplication.and_then(|deduplication| deduplication.occurrence_count);
        // A negative count is a bug; reading it as 0 keeps it from passing as a large count.
        count.map_or(0, |count| u64::try_from(count).unwrap_or(0))
    }

    fn signals(&self) -> Option<&[DeduplicatedSignal]> {
        self.status.as_ref()?.deduplication.as_ref()?.signals.as_deref()
    }

    fn listed(&self) -> Option<u64> {
        Some(self.signals()?.iter().map(|signal| u64::try_from(signal.count).unwrap_or(0)).sum())
    }

    fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

impl Rig {
    /// The API of RRs in the rig's namespace, with administrator rights.
    pub fn rr_api(&self) -> Api<Rr> {
        Api::namespaced(self.namespace.client().clone(), self.namespace.name())
    }

    /// All RRs, oldest first.
    ///
    /// # Errors
    /// If the list fails.
    pub async fn rrs(&self) -> Result<Vec<Rr>> {
        self.list(&ListParams::default()).await
    }

    async fn list(&self, selection: &ListParams) -> Result<Vec<Rr>> {
        let list = self.rr_api().list(selection).await.context("cannot list the RRs")?;
        let mut rrs = list.items;
        // Names end in their creation time in seconds, so within one incident they sort by age.
        rrs.sort_by(|a, b| (&a.metadata.creation_timestamp, a.name()).cmp(&(&b.metadata.creation_timestamp, b.name())));
        Ok(rrs)
    }

    /// Creates an RR of the incident without a claim, as a client other than Onceway does.
    ///
    /// # Errors
    /// If the create fails.
    pub async fn create_foreign(&self, incident: &Incident, name: &str) -> Result<Rr> {
        let created = self.rr_api().create(&PostParams::default(), &foreign(incident, name)).await;
        created.with_context(|| format!("cannot create the RR {name}"))
    }

    /// The RRs of one incident, oldest first.
    ///
    /// # Errors
    /// If the list fails.
    pub async fn rrs_of(&self, incident: &Incident) -> Result<Vec<Rr>> {
        self.rrs_of_fingerprint(incident.fingerprint()).await
    }

    /// The RRs of one fingerprint, oldest first. The API server selects them, so that other RRs of the namespace cost no
    /// transfer.
    ///
    /// # Errors
    /// If the list fails.
    pub async fn rrs_of_fingerprint(&self, fingerprint: Fingerprint) -> Result<Vec<Rr>> {
        self.list(&ListParams::default().fields(&format!("spec.signalFingerprint={fingerprint}"))).await
    }

    /// Merge-patches an RR's status, as another controller does; null removes a field.
    ///
    /// # Errors
    /// If the patch fails.
    pub async fn patch_status(&self, name: &str, status: Value) -> Result<Rr> {
        let patch = Patch::Merge(json!({ "status": status }));
        let patched = self.rr_api().patch_status(name, &PatchParams::default(), &patch).await;
        patched.with_context(|| format!("cannot patch the status of {name}"))
    }

    /// Sets an RR's phase, as the remediation controller does.
    ///
    /// # Errors
    /// If the patch fails.
    pub async fn set_phase(&self, name: &str, phase: &str) -> Result<Rr> {
        self.patch_status(name, json!({ "overallPhase": phase })).await
    }

    /// The claim of an incident, if it exists.
    ///
    /// # Errors
    /// If the read fails.
    pub async fn claim(&self, incident: &Incident) -> Result<Option<Lease>> {
        let leases = Api::<Lease>::namespaced(self.namespace.client().clone(), self.namespace.name());
        Ok(leases.get_opt(&format!("onceway-{}", incident.fingerprint())).await?)
    }

    /// Waits until a replica has seen an active RR, in a rig with one incident: once the RR is deleted, the replica knows that it
    /// was.
    ///
    /// # Errors
    /// If that takes too long.
    pub async fn until_seen_by(&self, replica: usize) -> Result<()> {
        self.sidecar(replica).until_metric("gateway_index_incidents", |incidents| incidents >= 1.0).await
    }

    /// Completes the incident's oldest RR and deletes it, as a user who cleans up does; returns its name.
    ///
    /// # Errors
    /// If it does not exist, or a call fails.
    pub async fn finish_and_delete(&self, incident: &Incident) -> Result<String> {
        let rr = self.rrs_of(incident).await?.into_iter().next().context("the incident has no RR")?;
        self.set_phase(rr.name(), "Completed").await?;
        self.rr_api().delete(rr.name(), &DeleteParams::default()).await?;
        Ok(rr.name().to_owned())
    }
}

/// The RR that [`Rig::create_foreign`] creates.
pub(super) fn foreign(incident: &Incident, name: &str) -> Rr {
    let now = Time(Timestamp::now());
    let spec = RemediationRequestSpec {
        signal_fingerprint: incident.fingerprint().to_string(),
        signal_name: "MadeByHand".into(),
        severity: "warning".into(),
        signal_type: SIGNAL_TYPE.into(),
        signal_source: None,
        target_type: TargetType::Kubernetes,
        target_resource: TargetResource {
            kind: "Deployment".into(),
            name: incident.deployment().into(),
            ..TargetResource::default()
        },
        cluster_id: None,
        firing_time: now.clone(),
        received_time: now,
        signal_labels: BTreeMap::new(),
        signal_annotations: BTreeMap::new(),
        provider_data: None,
        original_payload: None,
    };
    Rr::new(name, spec)
}
