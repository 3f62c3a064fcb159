//! A lock of kubernaut's gateway that a commit which has ended leaves behind.

use onceway_signal::Fingerprint;

/// See [`crate::executor::Execute::end_commit`].
#[derive(Debug, PartialEq, Eq)]
pub struct HeldLock {
    pub(super) fingerprint: Fingerprint,
    /// `metadata.uid` of the Lease.
    pub(super) uid: String,
    /// Its `metadata.resourceVersion` as this process wrote it.
    pub(super) version: String,
}
