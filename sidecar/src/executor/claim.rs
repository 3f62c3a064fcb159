//! The claim as a Lease: its name, its annotations, and how it is read.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use onceway_claim::{Claim, ClaimFields};
use onceway_signal::Fingerprint;
use serde::Deserialize;

use super::outcome::CallFailure;

/// `onceway.io/intent`, see [`ClaimFields::intent`].
pub(crate) const INTENT: &str = "onceway.io/intent";
/// `onceway.io/created`, see [`ClaimFields::created`].
pub(super) const CREATED: &str = "onceway.io/created";
/// `onceway.io/floor`, see [`ClaimFields::floor`].
pub(crate) const FLOOR: &str = "onceway.io/floor";

/// Selects the objects that Onceway creates.
pub(crate) const CLAIM_LABELS: &str = "app.kubernetes.io/managed-by=onceway";
/// Prefix of a claim's name; the fingerprint follows.
const CLAIM_PREFIX: &str = "onceway-";

/// The name of a fingerprint's claim.
pub(crate) fn claim_name(fingerprint: Fingerprint) -> String {
    format!("{CLAIM_PREFIX}{fingerprint}")
}

/// The fingerprint in a claim's name; `None` if it is not a claim's name.
pub(crate) fn fingerprint_of_claim(name: &str) -> Option<Fingerprint> {
    name.strip_prefix(CLAIM_PREFIX)?.parse().ok()
}

/// The fields of a Lease that a claim consists of.
#[derive(Deserialize)]
pub(super) struct LeaseView<'a> {
    #[serde(borrow)]
    metadata: LeaseMetadata<'a>,
    spec: LeaseSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseMetadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseSpec {
    holder_identity: Option<String>,
    lease_transitions: Option<i32>,
}

impl LeaseView<'_> {
    /// The claim in this Lease.
    ///
    /// # Errors
    /// If an annotation is missing or malformed: another client has written the Lease.
    pub(super) fn claim(self) -> Result<Claim, CallFailure> {
        let LeaseMetadata { name, uid, resource_version, annotations } = self.metadata;
        let fields = ClaimFields {
            holder: self.spec.holder_identity.unwrap_or_default().into(),
            intent: annotation::<String>(&annotations, INTENT, &name)?.into(),
            created: annotation(&annotations, CREATED, &name)?,
            floor: annotation(&annotations, FLOOR, &name)?,
            transitions: self.spec.lease_transitions.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        };
        Ok(Claim { uid: uid.as_ref().into(), version: resource_version.as_ref().into(), fields })
    }
}

fn annotation<T: FromStr>(annotations: &BTreeMap<String, String>, key: &str, lease: &str) -> Result<T, CallFailure> {
    annotations.get(key).and_then(|text| text.parse().ok()).ok_or_else(|| CallFailure::Unusable {
        reason: format!(
            "annotation {key} of Lease {lease} is missing or malformed: another client has created or changed the Lease; \
             delete it once no RemediationRequest of its fingerprint is active"
        ),
    })
}
