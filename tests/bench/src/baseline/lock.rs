//! The lock: a Lease that is held while one signal is processed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use onceway::incident::SubmitError;
use onceway_signal::Fingerprint;
use rand::random;
use serde_json::json;
use tracing::warn;

use super::{Backoff, is_conflict, refused};

/// When a lock that was not released expires.
const DURATION_S: i32 = 30;
pub(super) const BACKOFF: Backoff =
    Backoff { attempts: 10, first: Duration::from_millis(100), factor: 2, max: Duration::from_secs(1) };
/// `Retry-After` of a signal that did not get the lock.
const RETRY_AFTER_S: u32 = 1;

/// The environment variable that selects the [`Holder`].
const HOLDER: &str = "LOCK_HOLDER";

/// The identity that holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The signal: excludes all other signals.
    Signal,
    /// The replica, as in the `holderIdentity` of comparable gateways: signals of one replica do not exclude each other,
    /// and the first that finishes releases the lock for all of them.
    Pod,
}

impl Holder {
    /// The environment variable that passes this to a replica.
    pub fn variable(self) -> (&'static str, &'static str) {
        (HOLDER, if self == Self::Pod { "pod" } else { "signal" })
    }

    /// Reads it from the environment; default [`Holder::Signal`].
    pub fn read() -> Self {
        if std::env::var_os(HOLDER).is_some_and(|holder| holder == "pod") { Self::Pod } else { Self::Signal }
    }
}

/// The locks of one replica.
pub(super) struct Lock {
    leases: Api<Lease>,
    pod_name: String,
    holder: Holder,
}

/// The name of a held Lease.
pub(super) struct Held(String);

impl Lock {
    pub(super) fn new(client: Client, namespace: &str, pod_name: &str, holder: Holder) -> Self {
        Self { leases: Api::namespaced(client, namespace), pod_name: pod_name.to_owned(), holder }
    }

    /// Takes the lock of a fingerprint; waits up to about 7 s for it.
    pub(super) async fn acquire(&self, fingerprint: Fingerprint) -> Result<Held, SubmitError> {
        let held = BACKOFF.retry(|| self.try_acquire(fingerprint)).await?;
        held.ok_or(SubmitError::Overloaded { limit: "the maximum of attempts to lock", retry_after_s: RETRY_AFTER_S })
    }

    /// One attempt; `None` while another holder has it.
    async fn try_acquire(&self, fingerprint: Fingerprint) -> Result<Option<Held>, SubmitError> {
        let lease = self.draft(fingerprint);
        let name = lease.metadata.name.clone().unwrap_or_default();
        let taken = match self.leases.create(&PostParams::default(), &lease).await {
            Ok(_) => true,
            Err(error) if is_conflict(&error) => self.take_over(&name, &lease).await?,
            Err(error) => return Err(refused(error)),
        };
        Ok(taken.then_some(Held(name)))
    }

    /// Releases the lock. If that fails it expires. With [`Holder::Pod`] another signal may have released it already.
    pub(super) async fn release(&self, held: Held) {
        match self.leases.delete(&held.0, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => warn!(lease = held.0, %error, "could not release a lock"),
        }
    }

    /// Takes a lock that this holder already holds, or that has expired by the local clock.
    async fn take_over(&self, name: &str, draft: &Lease) -> Result<bool, SubmitError> {
        let Some(lease) = self.leases.get_opt(name).await.map_err(refused)? else { return Ok(false) };
        let holder = |spec: &Option<LeaseSpec>| spec.as_ref().and_then(|spec| spec.holder_identity.clone());
        if holder(&lease.spec) == holder(&draft.spec) {
            return Ok(true);
        }
        let renewed = lease.spec.and_then(|spec| spec.renew_time).map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        if Timestamp::now().duration_since(renewed) < SignedDuration::from_secs(i64::from(DURATION_S)) {
            return Ok(false);
        }
        let version = json!({ "resourceVersion": lease.metadata.resource_version });
        let patch = Patch::Merge(json!({ "metadata": version, "spec": draft.spec }));
        match self.leases.patch(name, &PatchParams::default(), &patch).await {
            Ok(_) => Ok(true),
            Err(error) if is_conflict(&error) => Ok(false),
            Err(error) => Err(refused(error)),
        }
    }

    fn draft(&self, fingerprint: Fingerprint) -> Lease {
        let mut lease = Lease::default();
        // The admission policy lets a sidecar's account write no others.
        lease.metadata.name = Some(format!("onceway-per-signal-{fingerprint}"));
        let now = MicroTime(Timestamp::now());
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(match self.holder {
                Holder::Signal => format!("{}_{:016x}", self.pod_name, random::<u64>()),
                Holder::Pod => self.pod_name.clone(),
            }),
            lease_duration_seconds: Some(DURATION_S),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        });
        lease
    }
}
