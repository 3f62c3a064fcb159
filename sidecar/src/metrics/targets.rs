//! How the targets of new RRs were found.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::registration::Registration;

/// How a target was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// See the module documentation.
#[derive(Debug)]
pub struct TargetMetrics {
    lookups: Family<ResultLabels, Counter>,
    rights_missing: Gauge,
    scope_in_sync: Gauge,
}

impl TargetMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        Self {
            lookups: registry.add(
                "target_lookups",
                "Targets of new RemediationRequests, by result: verified (it exists), referenced (an object that exists names \
                 it), implied (the object is gone, its workload exists), missing (it exists nowhere), named (not looked for), \
                 derived (by names, as configured), no_right, late, failed (by names, since reads were not allowed, took too \
                 long or failed).",
            ),
            rights_missing: registry.add(
                "target_rights_missing",
                "Kinds of objects that targets.resolve: verify would read and may not: their targets are derived from names alone.",
            ),
            scope_in_sync: registry.add(
                "scope_in_sync",
                "1 while the watch of the namespaces' labels works (scope.label); at 0, each new incident costs a read.",
            ),
        }
    }

    /// A target was looked for; `result` is one of a small set.
    pub fn found(&self, result: &'static str) {
        self.lookups.get_or_create(&ResultLabels { result }).inc();
    }

    /// The number of kinds that cannot be read.
    pub fn rights_missing(&self, kinds: usize) {
        self.rights_missing.set(i64::try_from(kinds).unwrap_or(i64::MAX));
    }

    /// Whether the watch of the namespaces' labels works.
    pub fn scope_in_sync(&self, in_sync: bool) {
        self.scope_in_sync.set(i64::from(in_sync));
    }
}
