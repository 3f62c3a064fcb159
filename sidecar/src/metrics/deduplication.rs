//! How many signals are counted in a RemediationRequest that existed before them: by name, in all, and as a share of those
//! received.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;

use super::bounded::{BoundedValues, OTHER};
use super::registration::Registration;

/// Names of signals that are told apart in a label, per process; those of later ones are `other`.
pub const MAX_SIGNAL_NAMES: usize = 500;

/// The name of a signal: `alertname`, or an event's reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabels {
    signal_name: Arc<str>,
}

/// See the module documentation.
#[derive(Debug)]
pub struct DeduplicationMetrics {
    by_name: Family<NameLabels, Counter>,
    names: BoundedValues,
    in_all: Counter,
    firing: Counter,
}

impl DeduplicationMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        let by_name = registry.add(
            "signals_deduplicated",
            "Signals counted in a RemediationRequest that existed before them, by the name of the signal; other for names \
             beyond the first 500.",
        );
        let in_all: Counter = registry.add(
            "deduplication_cache_hits",
            "Signals counted in a RemediationRequest that existed before them. The name is kubernaut's: there is no cache.",
        );
        let firing = Counter::default();
        registry.collect(&["deduplication_rate"], Rate { in_all: in_all.clone(), firing: firing.clone() });
        Self { by_name, names: BoundedValues::new(&[OTHER], MAX_SIGNAL_NAMES), in_all, firing }
    }

    /// `signals` of this name, or of several, were counted in an RR that existed before them.
    pub fn deduplicated(&self, name: Option<&str>, signals: u32) {
        if signals == 0 {
            return;
        }
        let (signals, signal_name) = (u64::from(signals), self.names.value(name.unwrap_or(OTHER)));
        self.by_name.get_or_create(&NameLabels { signal_name }).inc_by(signals);
        self.in_all.inc_by(signals);
    }

    /// Firing signals were received.
    pub(super) fn fired(&self, signals: u64) {
        self.firing.inc_by(signals);
    }
}

/// The share of the firing signals that were deduplicated, calculated when it is asked for.
#[derive(Debug)]
struct Rate {
    in_all: Counter,
    firing: Counter,
}

impl Collector for Rate {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let (in_all, firing) = (self.in_all.get(), self.firing.get());
        let rate = ConstGauge::new(if firing == 0 { 0.0 } else { in_all as f64 / firing as f64 });
        let help = "Signals counted in a RemediationRequest that existed before them, of the firing ones received, from 0 to 1.";
        rate.encode(encoder.encode_descriptor("deduplication_rate", help, None, rate.metric_type())?)
    }
}
