//! What became of firing signals and of requests.

use onceway_signal::Source;
use onceway_signal::problem::{Problem, ProblemKind};
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

/// The kinds of problems that the signal port responds with, and their status. Envoy's filter responds that no replica is
/// reachable, and the health port that the replica is not ready.
fn problems() -> impl Iterator<Item = ProblemLabels> {
    let is_ours = |kind: &ProblemKind| !matches!(kind, ProblemKind::Unreachable | ProblemKind::NotReady);
    ProblemKind::ALL.into_iter().filter(is_ours).map(|kind| {
        let status = Problem::new(kind, String::new()).status;
        ProblemLabels { kind: kind.slug(), status }
    })
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
            acknowledged: registry.counters(
                "signals_acknowledged",
                "Firing signals that were counted and whose request, or sub-request of the filter, was answered 2xx.",
                Source::ALL.map(|source| SourceLabels { source_type: source.as_str() }),
            ),
            counted: registry.add(
                "signals_counted",
                "Firing signals counted by writes of a RemediationRequest's status that are known to have succeeded.",
            ),
            failed: registry.counters(
                "signals_failed",
                "Firing signals whose request, or sub-request of the filter, was answered 5xx, by the kind of its problem: the \
                 sender has to send them again. Those of a request that failed before its body was read are not known; \
                 gateway_http_problems_total counts it.",
                problems().filter(|labels| labels.status >= 500).map(|labels| FailureLabels { problem: labels.kind }),
            ),
            problems: registry.counters(
                "http_problems",
                "Problem responses of the signal port, by kind (the last part of the problem's type) and status.",
                problems(),
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
