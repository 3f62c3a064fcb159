//! The RemediationRequests of a rig as the API server has them: what tests compare with.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use onceway::rr::{RemediationRequest, RemediationRequestSpec, SIGNAL_TYPE, TargetResource, TargetType};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::running::Rig;
use crate::payload::Incident;

/// How long a replica may take to confirm in its claim that the RR exists: one API call.
const CONFIRM_LIMIT: Duration = Duration::from_secs(60);

/// A `RemediationRequest`.
pub type Rr = RemediationRequest;

/// Accessors for tests.
pub trait RrExt {
    /// Its count of signals; 0 without a count.
    fn count(&self) -> u64;
    /// Its name.
    fn name(&self) -> &str;
}

impl RrExt for Rr {
    fn count(&self) -> u64 {
        let deduplication = self.status.as_ref().and_then(|status| status.deduplication.as_ref());
        let count = deduplication.and_then(|deduplication| deduplication.occurrence_count);
        // A negative count is a defect that must not look like a large count.
        count.map_or(0, |count| u64::try_from(count).unwrap_or(0))
    }

    fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }
}

impl Rig {
    /// The RRs of the rig's namespace, with all rights.
    pub fn rr_api(&self) -> Api<Rr> {
        Api::namespaced(self.namespace.client().clone(), self.namespace.name())
    }

    /// All RRs, the oldest first.
    ///
    /// # Errors
    /// If the API server does not respond.
    pub async fn rrs(&self) -> Result<Vec<Rr>> {
        let list = self.rr_api().list(&ListParams::default()).await.context("cannot list the RRs")?;
        let mut rrs = list.items;
        // Names end in the second of their creation, and so sort by age within an incident.
        rrs.sort_by(|a, b| (&a.metadata.creation_timestamp, a.name()).cmp(&(&b.metadata.creation_timestamp, b.name())));
        Ok(rrs)
    }

    /// Creates an RR of the incident without a claim, as another program does.
    ///
    /// # Errors
    /// If the API server rejects it.
    pub async fn create_foreign(&self, incident: &Incident, name: &str) -> Result<Rr> {
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
        let created = self.rr_api().create(&PostParams::default(), &Rr::new(name, spec)).await;
        created.with_context(|| format!("cannot create the RR {name}"))
    }

    /// The RRs of one incident, the oldest first.
    ///
    /// # Errors
    /// If the API server does not respond.
    pub async fn rrs_of(&self, incident: &Incident) -> Result<Vec<Rr>> {
        self.rrs_of_fingerprint(incident.fingerprint()).await
    }

    /// The RRs of one fingerprint, the oldest first.
    ///
    /// # Errors
    /// If the API server does not respond.
    pub async fn rrs_of_fingerprint(&self, fingerprint: Fingerprint) -> Result<Vec<Rr>> {
        let mut rrs = self.rrs().await?;
        rrs.retain(|rr| rr.spec.signal_fingerprint == fingerprint.to_string());
        Ok(rrs)
    }

    /// Changes an RR's status by a merge patch, as another controller does; null removes a field.
    ///
    /// # Errors
    /// If the API server rejects it.
    pub async fn patch_status(&self, name: &str, status: Value) -> Result<Rr> {
        let patch = Patch::Merge(json!({ "status": status }));
        let patched = self.rr_api().patch_status(name, &PatchParams::default(), &patch).await;
        patched.with_context(|| format!("cannot patch the status of {name}"))
    }

    /// Sets an RR's phase, as the remediation controller does.
    ///
    /// # Errors
    /// If the API server rejects it.
    pub async fn set_phase(&self, name: &str, phase: &str) -> Result<Rr> {
        self.patch_status(name, json!({ "overallPhase": phase })).await
    }

    /// The claim on an incident, if there is one.
    ///
    /// # Errors
    /// If the API server does not respond.
    pub async fn claim(&self, incident: &Incident) -> Result<Option<Lease>> {
        let leases = Api::<Lease>::namespaced(self.namespace.client().clone(), self.namespace.name());
        Ok(leases.get_opt(&format!("onceway-{}", incident.fingerprint())).await?)
    }

    /// Waits until the claim on an incident confirms that its RR was created. The creator writes that after its
    /// response; an RR that is deleted before is taken for one that was never created, and is created again.
    ///
    /// # Errors
    /// If the API server does not respond, or that takes too long.
    pub async fn until_confirmed(&self, incident: &Incident) -> Result<()> {
        let poll = async {
            while !self.claim(incident).await?.is_some_and(|claim| is_confirmed(&claim)) {
                sleep(Duration::from_millis(10)).await;
            }
            anyhow::Ok(())
        };
        let waited = timeout(CONFIRM_LIMIT, poll).await;
        waited.with_context(|| format!("the claim on {} is not confirmed", incident.deployment()))?
    }

    /// Completes the incident's oldest RR and deletes it; returns its name.
    ///
    /// # Errors
    /// If there is none, its claim is not confirmed in time, or the API server rejects a call.
    pub async fn finish_and_delete(&self, incident: &Incident) -> Result<String> {
        let rr = self.rrs_of(incident).await?.into_iter().next().context("the incident has no RR")?;
        self.until_confirmed(incident).await?;
        self.set_phase(rr.name(), "Completed").await?;
        self.rr_api().delete(rr.name(), &DeleteParams::default()).await?;
        Ok(rr.name().to_owned())
    }
}

fn is_confirmed(claim: &Lease) -> bool {
    let annotations = claim.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get("onceway.io/created")).is_some_and(|created| created == "true")
}
