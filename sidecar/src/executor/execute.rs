//! The interface between an incident task and the API server.

use std::future::Future;
use std::sync::Arc;

use jiff::Timestamp;
use onceway_claim::ApiCall;
use onceway_signal::Fingerprint;

use super::held_lock::HeldLock;
use super::load::Expected;
use super::outcome::CallOutcome;
use crate::incident::WriteSpec;
use crate::rr::{Provenance, SignalList};
use crate::traces::Trace;
use crate::workload::NewTarget;

/// What the calls of a batch need besides the protocol's own fields.
#[derive(Clone)]
pub struct Context {
    /// The incident.
    pub fingerprint: Fingerprint,
    /// When the first signal of the batch was received; `firstSeenAt` where the RR has none.
    pub first_received: Timestamp,
    /// When the last signal of the batch was received; `lastSeenAt`.
    pub last_received: Timestamp,
    /// The signals of the batch by name, for the RR's signal list.
    pub by_name: SignalList,
    /// Writes the spec of a new RR; `None` for calls that create no RR, because it keeps its request's body in memory.
    pub spec: Option<WriteSpec>,
    /// What the new RR names.
    pub target: NewTarget,
    /// Who asked for the new RR.
    pub provenance: Provenance,
    /// The span of the batch.
    pub trace: Trace,
}

/// Executes calls. The executor is the one implementation that ships; tests of the incident tasks script the outcomes.
pub trait Execute: Send + Sync + 'static {
    /// Executes one call, once.
    fn execute(&self, call: &ApiCall, context: &Context) -> impl Future<Output = CallOutcome> + Send;

    /// Whether the RR of this name was seen to become terminal or to be deleted: a hint that saves a write which would be
    /// rejected.
    fn is_known_inactive(&self, fingerprint: Fingerprint, name: &str) -> bool;

    /// How long a call is expected to take if it begins now.
    fn expected(&self) -> Expected {
        Expected::default()
    }

    /// Whether no RR of the fingerprint has been seen: a hint that saves the read of a claim that probably does not exist.
    fn is_new(&self, _fingerprint: Fingerprint) -> bool {
        false
    }

    /// Called when a commit of this fingerprint has ended, before the next one begins: the lock that it leaves behind.
    fn end_commit(&self, _fingerprint: Fingerprint) -> Option<HeldLock> {
        None
    }

    /// Releases a lock; off the request's path.
    fn release_lock(&self, _lock: HeldLock) -> impl Future<Output = ()> + Send {
        async {}
    }
}

impl<E: Execute> Execute for Arc<E> {
    fn execute(&self, call: &ApiCall, context: &Context) -> impl Future<Output = CallOutcome> + Send {
        E::execute(self, call, context)
    }

    fn is_known_inactive(&self, fingerprint: Fingerprint, name: &str) -> bool {
        E::is_known_inactive(self, fingerprint, name)
    }

    fn expected(&self) -> Expected {
        E::expected(self)
    }

    fn is_new(&self, fingerprint: Fingerprint) -> bool {
        E::is_new(self, fingerprint)
    }

    fn end_commit(&self, fingerprint: Fingerprint) -> Option<HeldLock> {
        E::end_commit(self, fingerprint)
    }

    fn release_lock(&self, lock: HeldLock) -> impl Future<Output = ()> + Send {
        E::release_lock(self, lock)
    }
}
