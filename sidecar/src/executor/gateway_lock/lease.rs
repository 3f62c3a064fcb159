//! The Lease that is the lock: its name, how it is written, and when it has expired.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Resource;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::params::GetParams;
use kube::core::request::Error;
use onceway_signal::Fingerprint;
use serde::Deserialize;
use serde_json::json;

use super::super::request::{Requests, as_last_seen, bytes};

/// `leaseDurationSeconds` that a sidecar writes: after a crash, both gateways may take the lock over this long after its
/// `renewTime`. kubernaut's gateway writes 30 s, and goes by the number in the Lease.
pub(super) const DURATION: Duration = Duration::from_secs(15);
/// Prefix of the Lease's name; the first [`NAME_DIGITS`] of the fingerprint follow.
const PREFIX: &str = "gw-lock-";
/// Digits of the fingerprint in the name. Fingerprints that share them share a lock, which costs only time.
const NAME_DIGITS: usize = 16;

/// The name of a fingerprint's lock.
pub(super) fn name(fingerprint: Fingerprint) -> String {
    format!("{PREFIX}{:.NAME_DIGITS$}", fingerprint.to_string())
}

/// A lock as the API server holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LockLease {
    pub(super) uid: String,
    pub(super) version: String,
    /// Who holds it; empty: nobody.
    pub(super) holder: String,
    /// When it expires; `None`: never, since it says not when.
    expires: Option<Timestamp>,
}

impl LockLease {
    /// Reads a response.
    ///
    /// # Errors
    /// What is wrong with it, if it is no Lease.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct View {
            metadata: Metadata,
            #[serde(default)]
            spec: Spec,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Metadata {
            uid: String,
            resource_version: String,
        }
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Spec {
            holder_identity: Option<String>,
            lease_duration_seconds: Option<i32>,
            renew_time: Option<Timestamp>,
        }
        let View { metadata, spec } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let lasts = spec.lease_duration_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
        let expires = spec.renew_time.zip(lasts).and_then(|(renewed, lasts)| renewed.checked_add(lasts).ok());
        let holder = spec.holder_identity.unwrap_or_default();
        Ok(Self { uid: metadata.uid, version: metadata.resource_version, holder, expires })
    }

    /// Whether somebody holds it at `now`, by the same comparison of wall clocks as kubernaut's gateway makes.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        !self.holder.is_empty() && self.expires.is_none_or(|expires| now <= expires)
    }
}

impl Requests {
    pub(super) fn get_lock(&self, fingerprint: Fingerprint) -> Result<http::Request<Vec<u8>>, Error> {
        self.leases.get(&name(fingerprint), &GetParams::default())
    }

    pub(super) fn create_lock(&self, fingerprint: Fingerprint) -> Result<http::Request<Vec<u8>>, Error> {
        let now = MicroTime(Timestamp::now());
        let body = json!({
            "apiVersion": Lease::api_version(&()),
            "kind": Lease::kind(&()),
            "metadata": { "name": name(fingerprint) },
            "spec": {
                "holderIdentity": *self.identity,
                "leaseDurationSeconds": DURATION.as_secs(),
                "acquireTime": now,
                "renewTime": now,
            },
        });
        self.leases.create(&PostParams::default(), bytes(&body)?)
    }

    /// Takes over the lock of this version, or renews one's own.
    pub(super) fn take_over_lock(
        &self,
        fingerprint: Fingerprint,
        version: &str,
    ) -> Result<http::Request<Vec<u8>>, Error> {
        let body = json!({
            "metadata": { "resourceVersion": version },
            "spec": {
                "holderIdentity": *self.identity,
                "leaseDurationSeconds": DURATION.as_secs(),
                "renewTime": MicroTime(Timestamp::now()),
            },
        });
        self.leases.patch(&name(fingerprint), &PatchParams::default(), &Patch::Merge(body))
    }

    /// Deletes the lock of this version only: not the one that somebody has taken over since.
    pub(super) fn release_lock(
        &self,
        fingerprint: Fingerprint,
        uid: &str,
        version: &str,
    ) -> Result<http::Request<Vec<u8>>, Error> {
        self.leases.delete(&name(fingerprint), &as_last_seen(uid, version))
    }

    /// Whether this process is the holder: one that it took in a call whose response was lost.
    pub(super) fn is_mine(&self, holder: &str) -> bool {
        holder == &*self.identity
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::{LockLease, name};

    fn lease(spec: Value) -> LockLease {
        let lease = json!({ "metadata": { "uid": "u", "resourceVersion": "1" }, "spec": spec });
        LockLease::parse(lease.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn the_lock_is_named_as_kubernauts_gateway_names_it() {
        let fingerprint = "cb639afcefc1341a46b82d7cfdbb022195e8848acb6bc3e70e9917dd02353966".parse().unwrap();
        assert_eq!(name(fingerprint), "gw-lock-cb639afcefc1341a");
    }

    #[test]
    fn a_lock_is_live_until_its_duration_has_passed_since_its_renewal() {
        let now: Timestamp = "2026-03-01T10:00:30Z".parse().unwrap();
        let spec = |holder: &str, renewed: &str, seconds: u32| json!({ "holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": seconds });
        assert!(lease(spec("gateway-1", "2026-03-01T10:00:00.000000Z", 30)).is_live(now));
        assert!(!lease(spec("gateway-1", "2026-03-01T09:59:59.999999Z", 30)).is_live(now));
        assert!(!lease(spec("gateway-1", "2026-03-01T10:00:00.000000Z", 29)).is_live(now));
        assert!(lease(spec("gateway-1", "2026-03-01T10:05:00.000000Z", 30)).is_live(now), "of a clock that is ahead");
        assert!(!lease(spec("", "2026-03-01T10:00:00.000000Z", 30)).is_live(now), "nobody holds it");
    }

    #[test]
    fn a_lock_that_does_not_say_when_it_expires_never_does() {
        let now = Timestamp::now();
        assert!(lease(json!({ "holderIdentity": "gateway-1", "leaseDurationSeconds": 30 })).is_live(now));
        assert!(lease(json!({ "holderIdentity": "gateway-1", "renewTime": "2020-01-01T00:00:00Z" })).is_live(now));
        assert!(!lease(json!({})).is_live(now));
    }
}
