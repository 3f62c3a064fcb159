//! What the protocol reads and writes: the claim (a Lease), and the fields of an RR that its decisions depend on.

use std::sync::Arc;

/// The fields of a claim that the protocol's decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClaimFields {
    /// `holderIdentity`: the process that may be creating the intent; empty once no process may: after an adoption or a fence.
    pub holder: Arc<str>,
    /// `onceway.io/intent`: the only RR name that may be created now.
    pub intent: Arc<str>,
    /// `onceway.io/created`: whether an RR of that name is known to have existed. An *open* claim has `false`.
    pub created: bool,
    /// `onceway.io/floor`: the last Unix second used in a name, so that the name of an RR that is known to have existed is never used again.
    pub floor: u64,
    /// `leaseTransitions`: how often the holder changed.
    pub transitions: u32,
}

impl ClaimFields {
    /// The claim after `holder` acquires it for `intent`, which is not created yet.
    pub(crate) fn acquired(&self, holder: &Arc<str>, intent: Arc<str>, floor: u64) -> Self {
        let transitions = self.transitions.saturating_add(u32::from(self.holder != *holder));
        Self { holder: Arc::clone(holder), intent, created: false, floor, transitions }
    }

    /// A first claim that names `adopted`, an RR that exists already.
    pub(crate) fn of_adopted(adopted: Arc<str>, floor: u64) -> Self {
        Self { holder: Arc::from(""), intent: adopted, created: true, floor, transitions: 0 }
    }

    /// The claim once it names `adopted`, an RR that exists already.
    pub(crate) fn adopting(&self, adopted: Arc<str>) -> Self {
        Self { intent: adopted, ..self.confirmed() }
    }

    /// The claim once its intent is known to have existed: it needs no holder.
    pub(crate) fn confirmed(&self) -> Self {
        Self { holder: Arc::from(""), created: true, ..self.clone() }
    }
}

/// A claim as the API server holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`; opaque, compared for equality only.
    pub version: Arc<str>,
    /// Its content.
    pub fields: ClaimFields,
}

/// Whether an RR takes signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Any phase that is not terminal, the empty and unknown ones included.
    Active,
    /// Terminal, or being deleted: the next signal begins a new incident.
    Terminal,
    /// Terminal with outcome `ManualReviewRequired`: signals are counted, no new RR is created.
    ManualReview,
    /// Terminal with `nextAllowedExecution`, in Unix milliseconds: until then like [`Phase::ManualReview`].
    NotBefore(u64),
}

impl Phase {
    /// Whether signals are counted in an RR of this phase at `unix_ms`.
    #[must_use]
    pub fn takes_signals(self, unix_ms: u64) -> bool {
        match self {
            Self::Active | Self::ManualReview => true,
            Self::Terminal => false,
            Self::NotBefore(allowed_ms) => unix_ms < allowed_ms,
        }
    }
}

/// The fields of an RR that the protocol's decisions depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rr {
    /// `metadata.name`.
    pub name: Arc<str>,
    /// `metadata.uid`.
    pub uid: Arc<str>,
    /// `metadata.resourceVersion`; opaque, compared for equality only.
    pub version: Arc<str>,
    /// Whether `spec.signalFingerprint` is this incident's.
    pub fingerprint_matches: bool,
    /// `onceway.io/creator`: the identity of the process that created it; empty where the annotation is missing.
    pub creator: Arc<str>,
    /// `status.deduplication.occurrenceCount`; 0 where it is missing.
    pub count: u32,
    /// Whether it takes signals.
    pub phase: Phase,
    /// `status.deduplication.firstSeenAt` in Unix milliseconds; the protocol only passes it through.
    pub first_seen_ms: Option<u64>,
    /// `status.deduplication.lastSeenAt` likewise.
    pub last_seen_ms: Option<u64>,
    /// `status.deduplication.signals` likewise. It belongs to `version`: the count that requires this version replaces
    /// this list.
    pub signals: Arc<[SeenSignal]>,
}

/// The signals of one name that an RR counts. Plain data for whoever reads and writes RRs; the protocol decides nothing
/// by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SeenSignal {
    /// The alert's name, or the event's reason.
    pub name: Arc<str>,
    /// How many of the counted signals have this name.
    pub count: u32,
    /// The highest severity among them.
    pub severity: Arc<str>,
    /// When the last of them was received, in Unix milliseconds.
    pub last_seen_ms: u64,
}
