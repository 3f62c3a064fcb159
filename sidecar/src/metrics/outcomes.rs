//! What became of firing signals and of requests.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::registration::Registration;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source_type: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FailureLabels {
    problem: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProblemLabels {
    kind: &'static str,
    status: u16,
}

/// See the module documentation.
#[derive(Debug)]
pub struct OutcomeMetrics {
    acknowledged: Family<SourceLabels, Counter>,
    counted: Counter,
    failed: Family<FailureLabels, Counter>,
    problems: Family<ProblemLabels, Counter>,
}

impl OutcomeMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        Self {
            acknowledged: registry.add(
                "signals_acknowledged",
                "Firing signals that were counted and whose request, or sub-request of the filter, was answered 2xx.",
            ),
            counted: registry.add(
                "signals_counted",
                "Firing signals counted by writes of a RemediationRequest's status that are known to have succeeded.",
            ),
            failed: registry.add(
                "signals_failed",
                "Firing signals whose request, or sub-request of the filter, was answered 5xx, by the kind of its problem: the \
                 sender has to send them again. Those of a request that failed before its body was read are not known; \
                 gateway_http_problems_total counts it.",
            ),
            problems: registry.add(
                "http_problems",
                "Problem responses of the signal port, by kind (the last part of the problem's type) and status.",
            ),
        }
    }

    /// Signals were counted by one write.
    pub fn counted(&self, signals: u32) {
        self.counted.inc_by(u64::from(signals));
    }

    /// The signals of a request that was answered 2xx.
    pub fn acknowledged(&self, source_type: &'static str, signals: u64) {
        if signals > 0 {
            self.acknowledged.get_or_create(&SourceLabels { source_type }).inc_by(signals);
        }
    }

    /// The signals of a request that was answered 5xx with a problem of this kind.
    pub fn failed(&self, problem: &'static str, signals: u64) {
        if signals > 0 {
            self.failed.get_or_create(&FailureLabels { problem }).inc_by(signals);
        }
    }

    /// A problem was sent.
    pub fn problem(&self, kind: &'static str, status: u16) {
        self.problems.get_or_create(&ProblemLabels { kind, status }).inc();
    }
}
