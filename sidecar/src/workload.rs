//! The workload that a new RR names, `spec.targetResource`: what exists in the cluster, as far as it can be found in time.
//!
//! A fingerprint is decided from the signal alone. Only when an RR is about to be created, the API server is asked which
//! controller the object belongs to that the signal names: a pod's chain to its Deployment, say. It is asked for metadata only,
//! beside the calls that take the incident's claim, and for at most `limits.targetTimeout`; then the best that is known is
//! stored. Nothing here can fail: a cluster that does not say costs a less exact target, and no signal.
//!
//! `chain` is the pure core: which read follows from what is known. `lookup` runs it, once per batch.

mod chain;
mod derive;
pub mod kinds;
mod lookup;
mod named;
mod read;
mod rights;
mod target;

pub use self::chain::{Found, How};
pub use self::lookup::{Lookup, Settings, Workloads};
pub use self::named::Named;
pub use self::read::{Controller, Metadata, ObjectRef, ReadMetadata, Unread};
pub use self::rights::ReadRights;
pub use self::target::NewTarget;
