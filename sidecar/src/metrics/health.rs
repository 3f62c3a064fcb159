//! Whether the replica is ready, and which permissions it lacks.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::registration::Registration;

/// The condition of the verdict: all of them.
pub(super) const ALL: &str = "all";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    condition: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RightLabels {
    right: String,
}

/// See the module documentation. Clones share their metrics.
#[derive(Clone, Debug)]
pub struct HealthMetrics {
    ready: Family<ConditionLabels, Gauge>,
    rights_missing: Family<RightLabels, Gauge>,
}

impl HealthMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        Self {
            ready: registry.add(
                "ready",
                "1 while a condition of readiness holds, as /readyz tells: index (the RemediationRequests were listed), \
                 permissions (all are granted, and the CRD is served), draining (the replica is not shutting down), all (the \
                 verdict).",
            ),
            rights_missing: registry.add(
                "right_missing",
                "1 for each permission without which the replica is not ready and that the API server does not grant; 0 for \
                 the others that were checked.",
            ),
        }
    }

    /// Whether a condition holds.
    pub fn condition(&self, condition: &'static str, holds: bool) {
        self.ready.get_or_create(&ConditionLabels { condition }).set(i64::from(holds));
    }

    /// Whether all conditions hold.
    pub fn ready(&self, ready: bool) {
        self.condition(ALL, ready);
    }

    /// Whether a permission is missing; `right` is one of those that the program knows.
    pub fn right_missing(&self, right: String, missing: bool) {
        self.rights_missing.get_or_create(&RightLabels { right }).set(i64::from(missing));
    }
}
