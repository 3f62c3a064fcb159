//! Rejected signals, by reason.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::registration::Registration;

/// Why a signal is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// Every reason.
const REASONS: [&str; 9] = [
    "unusable",
    "cluster",
    "namespace",
    "too_old",
    "ahead",
    "normal",
    "policy",
    "unmanaged_resource",
    "missing_resource",
];

/// See the module documentation.
pub struct RejectionMetrics(Family<Reason, Counter>);

impl RejectionMetrics {
    pub(super) fn new(registration: &mut Registration) -> Self {
        Self(registration.counters(
            "signals_rejected",
            "Signals that were rejected, by reason: unusable (no name, no target, or no valid one), cluster, namespace \
             (targets.clusters, targets.denyNamespaces), too_old (events.maxAge), ahead (dated in the future), normal \
             (events.normal), policy (an admission policy of the cluster; counted by incident), unmanaged_resource \
             (scope.label), missing_resource (targets.missing: reject).",
            REASONS.map(|reason| Reason { reason }),
        ))
    }

    /// `signals` were rejected; `reason` is one of a small set.
    pub fn add(&self, reason: &'static str, signals: usize) {
        if signals == 0 {
            return;
        }
        let signals = u64::try_from(signals).unwrap_or(u64::MAX);
        self.0.get_or_create(&Reason { reason }).inc_by(signals);
    }
}
