//! Spans of traces, by what became of them.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::registration::Registration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    result: &'static str,
}

/// See the module documentation.
#[derive(Debug)]
pub struct SpanMetrics(Family<ResultLabels, Counter>);

impl SpanMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        Self(registry.counters(
            "trace_spans",
            "Spans of traces, by what became of them: exported, failed (the collector did not take them), dropped (the queue was \
             full). At 0 without tracing.otlp.endpoint.",
            ["exported", "failed", "dropped"].map(|result| ResultLabels { result }),
        ))
    }

    /// Spans with this result: "exported", "failed" or "dropped".
    pub fn add(&self, result: &'static str, spans: usize) {
        if spans > 0 {
            self.0.get_or_create(&ResultLabels { result }).inc_by(u64::try_from(spans).unwrap_or(u64::MAX));
        }
    }
}
