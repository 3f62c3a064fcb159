//! How the targets of new RRs were found.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};

use super::registration::Registration;

/// How a target was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// Every result.
const RESULTS: [&str; 9] =
    ["verified", "referenced", "implied", "missing", "named", "derived", "no_right", "late", "failed"];

/// Whether the watch of the namespaces' labels works; shown once that is known, which is never without `scope.label`: a 0
/// would read as a fault.
#[derive(Clone, Debug, Default)]
struct ScopeSync(Arc<OnceLock<AtomicBool>>);

impl ScopeSync {
    fn set(&self, in_sync: bool) {
        self.0.get_or_init(|| AtomicBool::new(in_sync)).store(in_sync, Ordering::Relaxed);
    }
}

impl Collector for ScopeSync {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(in_sync) = self.0.get() else { return Ok(()) };
        let help = "1 while the watch of the namespaces' labels works; at 0, each new incident costs a read. Only with scope.label.";
        let encoder = encoder.encode_descriptor("scope_in_sync", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(in_sync.load(Ordering::Relaxed))).encode(encoder)
    }
}

/// See the module documentation.
#[derive(Debug)]
pub struct TargetMetrics {
    lookups: Family<ResultLabels, Counter>,
    rights_missing: Gauge,
    scope_in_sync: ScopeSync,
}

impl TargetMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        let scope_in_sync = ScopeSync::default();
        registry.collect(&["scope_in_sync"], scope_in_sync.clone());
        Self {
            lookups: registry.counters(
                "target_lookups",
                "Targets of new RemediationRequests, by result: verified (it exists), referenced (an object that exists names \
                 it), implied (the object is gone, its workload exists), missing (it exists nowhere), named (not looked for), \
                 derived (by names, as configured), no_right, late, failed (by names, since reads were not allowed, took too \
                 long or failed).",
                RESULTS.map(|result| ResultLabels { result }),
            ),
            rights_missing: registry.add(
                "target_rights_missing",
                "Kinds of objects that targets.resolve: verify would read and may not: their targets are derived from names alone.",
            ),
            scope_in_sync,
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
        self.scope_in_sync.set(in_sync);
    }
}
