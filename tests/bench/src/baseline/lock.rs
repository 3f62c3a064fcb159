//! A Lease for as long as one signal takes.

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
use tokio::time::sleep;
use tracing::warn;

use super::{is_conflict, pauses, refused};

/// How long a holder that says nothing more keeps the lock.
const DURATION_S: i32 = 30;
/// How often a lock that another holds is tried.
const TRIES: usize = 10;
/// The first pause before it is tried again.
const BACKOFF: Duration = Duration::from_millis(100);
/// By what the next pause is longer.
const FACTOR: u32 = 2;
/// The longest pause.
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// What to say to the sender of a signal that did not get it, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// The variable that says who holds a lock.
const HOLDER: &str = "LOCK_HOLDER";

/// Who holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The signal, which excludes all others.
    Signal,
    /// The replica, as the `holderIdentity` of the gateways of this field says: signals of one replica do not exclude one
    /// another, and the first that is done releases it for all.
    Pod,
}

impl Holder {
    /// The variable of the environment that tells a replica.
    pub fn variable(self) -> (&'static str, &'static str) {
        (HOLDER, if self == Self::Pod { "pod" } else { "signal" })
    }

    /// What the environment says.
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

/// The name of a Lease that is held.
pub(super) struct Held(String);

impl Lock {
    pub(super) fn new(client: Client, namespace: &str, pod_name: &str, holder: Holder) -> Self {
        Self { leases: Api::namespaced(client, namespace), pod_name: pod_name.to_owned(), holder }
    }

    /// Takes the lock of a fingerprint, waiting for it for some seconds.
    pub(super) async fn acquire(&self, fingerprint: Fingerprint) -> Result<Held, SubmitError> {
        let mut pauses = pauses(TRIES, BACKOFF, FACTOR, MAX_BACKOFF);
        loop {
            let lease = self.draft(fingerprint);
            let name = lease.metadata.name.clone().unwrap_or_default();
            match self.leases.create(&PostParams::default(), &lease).await {
                Ok(_) => return Ok(Held(name)),
                Err(error) if !is_conflict(&error) => return Err(refused(error)),
                Err(_) if self.take_over(&name, &lease).await? => return Ok(Held(name)),
                Err(_) => {}
            }
            let Some(pause) = pauses.next() else {
                return Err(SubmitError::Overloaded { limit: "tries for the lock", retry_after_s: RETRY_AFTER_S });
            };
            sleep(pause).await;
        }
    }

    /// Releases it. One that cannot be released runs out; another signal of the replica may have done it before.
    pub(super) async fn release(&self, held: Held) {
        match self.leases.delete(&held.0, &DeleteParams::default()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            Err(error) => warn!(lease = held.0, %error, "a lock is not released"),
        }
    }

    /// Takes a lock that is this holder's already, or has run out by this clock.
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
        lease.metadata.name = Some(format!("per-signal-{fingerprint}"));
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
