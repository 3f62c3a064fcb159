//! The gateway's API calls.

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Resource;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use onceway_signal::Fingerprint;
use serde_json::{Value, json};

use crate::cluster::Namespace;
use crate::payload::Incident;
use crate::rig::Rr;

/// `leaseDurationSeconds` of its lock.
pub const LOCK_SECONDS: i32 = 30;

/// The phases in which an RR does not take signals.
const TERMINAL: [&str; 5] = ["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"];
/// The fields of `status.deduplication` that its types have; a PUT drops all others.
const TYPED: [&str; 3] = ["firstSeenAt", "lastSeenAt", "occurrenceCount"];

/// The name of an incident's lock.
pub fn lock_name(fingerprint: Fingerprint) -> String {
    format!("gw-lock-{}", &fingerprint.to_string()[..16])
}

pub(super) struct Calls {
    leases: Api<Lease>,
    rrs: Api<DynamicObject>,
    pod: String,
}

impl Calls {
    pub(super) fn new(namespace: &Namespace, pod: &str) -> Self {
        let (client, name) = (namespace.client(), namespace.name());
        Self {
            leases: Api::namespaced(client.clone(), name),
            rrs: Api::namespaced_with(client.clone(), name, &ApiResource::erase::<Rr>(&())),
            pod: pod.to_owned(),
        }
    }

    pub(super) async fn get_lock(&self, fingerprint: Fingerprint) -> Result<Option<Lease>> {
        Ok(self.leases.get_opt(&lock_name(fingerprint)).await?)
    }

    pub(super) async fn create_lock(&self, fingerprint: Fingerprint, now: Timestamp) -> Result<bool> {
        let mut lease = Lease::default();
        lease.meta_mut().name = Some(lock_name(fingerprint));
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.pod.clone()),
            lease_duration_seconds: Some(LOCK_SECONDS),
            acquire_time: Some(MicroTime(now)),
            renew_time: Some(MicroTime(now)),
            ..LeaseSpec::default()
        });
        Ok(written(self.leases.create(&PostParams::default(), &lease).await)?.is_some())
    }

    /// Whether this pod holds the lock: then it takes it for its own, though another request of it may have taken it.
    pub(super) fn is_held_here(&self, lease: &Lease) -> bool {
        lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_ref()) == Some(&self.pod)
    }

    pub(super) async fn take_over_lock(&self, mut lease: Lease, now: Timestamp) -> Result<bool> {
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some(self.pod.clone());
        spec.renew_time = Some(MicroTime(now));
        let name = lease.metadata.name.clone().context("a Lease without a name")?;
        Ok(written(self.leases.replace(&name, &PostParams::default(), &lease).await)?.is_some())
    }

    pub(super) async fn delete_lock(&self, fingerprint: Fingerprint) -> Result<()> {
        match self.leases.delete(&lock_name(fingerprint), &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            result => result.map(drop).context("cannot delete the lock"),
        }
    }

    pub(super) async fn find_active(&self, fingerprint: Fingerprint) -> Result<Option<String>> {
        let of_incident = ListParams::default().fields(&format!("spec.signalFingerprint={fingerprint}"));
        let rrs = self.rrs.list(&of_incident).await?.items;
        let phase = |rr: &DynamicObject| rr.data["status"]["overallPhase"].as_str().unwrap_or_default().to_owned();
        let active = rrs.into_iter().find(|rr| !TERMINAL.contains(&phase(rr).as_str()));
        Ok(active.and_then(|rr| rr.metadata.name))
    }

    pub(super) async fn create_rr(&self, incident: &Incident) -> Result<String> {
        let fingerprint = incident.fingerprint().to_string();
        let name = format!("rr-{}-{:08x}", &fingerprint[..12], rand::random::<u32>());
        let now = whole_seconds(Timestamp::now());
        let rr: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "kubernaut.ai/v1alpha1",
            "kind": "RemediationRequest",
            "metadata": {
                "name": name,
                "labels": { "app.kubernetes.io/managed-by": "gateway-service", "app.kubernetes.io/component": "remediation" },
                "annotations": { "kubernaut.ai/created-at": now },
            },
            "spec": {
                "signalFingerprint": fingerprint,
                "signalName": "KubePodCrashLooping",
                "severity": "critical",
                "signalType": "alert",
                "signalSource": "prometheus",
                "targetType": "kubernetes",
                "targetResource": { "kind": "Deployment", "name": incident.deployment(), "namespace": "prod" },
                "firingTime": now,
                "receivedTime": now,
                "providerData": "{\"labels\":{},\"namespace\":\"prod\"}",
                "originalPayload": "{\"alerts\":[]}",
            },
        }))?;
        self.rrs.create(&PostParams::default(), &rr).await.context("cannot create kubernaut's RR")?;
        Ok(name)
    }

    pub(super) async fn get_rr(&self, name: &str) -> Result<DynamicObject> {
        self.rrs.get(name).await.context("cannot read the RR")
    }

    /// Writes the status of `rr` with one more signal; false if it has changed since.
    pub(super) async fn put_count(&self, mut rr: DynamicObject, now: Timestamp) -> Result<bool> {
        let seen = &mut rr.data["status"]["deduplication"];
        if let Some(fields) = seen.as_object_mut() {
            fields.retain(|field, _| TYPED.contains(&field.as_str()));
            let count = fields.get("occurrenceCount").and_then(Value::as_u64).unwrap_or(0);
            fields.insert("occurrenceCount".into(), json!(count + 1));
        } else {
            *seen = json!({ "firstSeenAt": whole_seconds(now), "occurrenceCount": 1 });
        }
        seen["lastSeenAt"] = json!(whole_seconds(now));
        let name = rr.metadata.name.clone().context("an RR without a name")?;
        Ok(written(self.rrs.replace_status(&name, &PostParams::default(), &rr).await)?.is_some())
    }
}

/// Whether anybody may take the lock over: not if it does not say until when it is held.
pub(super) fn has_expired(lease: &Lease, now: Timestamp) -> bool {
    let spec = lease.spec.as_ref();
    let renewed = spec.and_then(|spec| spec.renew_time.as_ref()).map(|MicroTime(time)| *time);
    let lasts =
        spec.and_then(|spec| spec.lease_duration_seconds).map(|seconds| SignedDuration::from_secs(seconds.into()));
    renewed.zip(lasts).is_some_and(|(renewed, lasts)| now > renewed + lasts)
}

/// Fails unless the result is definite: written, or `None` after a conflict.
fn written<T>(result: kube::Result<T>) -> Result<Option<T>> {
    match result {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => bail!("a call of kubernaut's gateway failed: {error}"),
    }
}

/// As Go's `metav1.Time` is written.
fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
