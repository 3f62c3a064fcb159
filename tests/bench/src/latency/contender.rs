//! The contenders and their comparisons.

/// An operation that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contender {
    /// Create an RR, then write its status: the minimum for a new incident.
    BareOpening,
    /// Write the status of an RR: the minimum for a duplicate.
    BareCount,
    /// A signal of a new incident.
    First,
    /// A signal of an incident whose last RR is terminal, at a replica that no longer has the incident in memory.
    Recurring,
    /// A signal of an incident whose RR has just become terminal, at the replica that has counted in it.
    JustEnded,
    /// A signal of an incident whose RR is active, at the replica that has counted in it.
    Duplicate,
    /// A signal of a new incident that names a pod: its RR names the Deployment that controls it, which the API server has.
    Verified,
    /// The same, at replicas that look for nothing (`targets.resolve: named`).
    Named,
}

/// A comparison with bare writes, and its bar.
pub(super) struct Comparison {
    pub(super) ours: Contender,
    pub(super) bare: Contender,
    /// The maximum ratio of the medians.
    pub(super) bar: Option<f64>,
}

impl Contender {
    pub(super) const ALL: [Self; 8] = [
        Self::BareOpening,
        Self::BareCount,
        Self::First,
        Self::Recurring,
        Self::JustEnded,
        Self::Duplicate,
        Self::Verified,
        Self::Named,
    ];

    /// Its name in tables and raw data.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BareOpening => "bare create + status write",
            Self::BareCount => "bare status write",
            Self::First => "first incident",
            Self::Recurring => "recurring incident",
            Self::JustEnded => "recurring, RR just ended",
            Self::Duplicate => "duplicate at its owner",
            Self::Verified => "first incident of a pod, its workload verified",
            Self::Named => "first incident of a pod, as named",
        }
    }

    /// Whether each of its trials creates an RR.
    pub(super) fn opens(self) -> bool {
        !matches!(self, Self::BareCount | Self::Duplicate)
    }
}

pub(super) const COMPARISONS: [Comparison; 5] = [
    Comparison { ours: Contender::First, bare: Contender::BareOpening, bar: Some(1.8) },
    Comparison { ours: Contender::Named, bare: Contender::BareOpening, bar: Some(1.45) },
    Comparison { ours: Contender::Recurring, bare: Contender::BareOpening, bar: Some(2.5) },
    Comparison { ours: Contender::JustEnded, bare: Contender::BareOpening, bar: None },
    Comparison { ours: Contender::Duplicate, bare: Contender::BareCount, bar: None },
];

/// The most that the lookup of a pod's workload may cost a first incident: the ratio of the medians with and without it.
pub(super) const LOOKUP_BAR: f64 = 1.2;

/// The most API calls of a first incident that looks for nothing: its claim, its RR and its count, and rarely another.
pub(super) const FIRST_CALLS_BAR: f64 = 3.2;
