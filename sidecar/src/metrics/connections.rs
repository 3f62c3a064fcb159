//! Metrics of connections.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::registration::Registration;

/// One of the sidecar's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// `listen.signals`.
    Signals,
    /// `listen.health`.
    Health,
    /// `listen.metrics`.
    Metrics,
}

impl Port {
    const ALL: [Self; 3] = [Self::Signals, Self::Health, Self::Metrics];

    const fn name(self) -> &'static str {
        match self {
            Self::Signals => "signals",
            Self::Health => "health",
            Self::Metrics => "metrics",
        }
    }
}

/// A port, and the limit for which a connection to it was closed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClosedLabels {
    port: &'static str,
    reason: &'static str,
}

/// Every port with every limit that connections to it can reach.
fn all() -> impl Iterator<Item = ClosedLabels> {
    let of = |port: Port| ["peer", "total", "files"].map(|reason| ClosedLabels { port: port.name(), reason });
    Port::ALL.into_iter().flat_map(of)
}

/// Connections that were closed because a limit was reached.
#[derive(Debug)]
pub struct ConnectionMetrics {
    evicted: Family<ClosedLabels, Counter>,
    refused: Family<ClosedLabels, Counter>,
}

impl ConnectionMetrics {
    pub(super) fn new(registry: &mut Registration) -> Self {
        Self {
            evicted: registry.counters(
                "http_connections_evicted",
                "Connections without a complete request in flight that were closed for a newer one, by port and by the \
                 limit that was reached: peer (limits.maxConnectionsPerPeer), total (limits.maxConnections) or files (open \
                 files of the process).",
                all(),
            ),
            refused: registry.counters(
                "http_connections_refused",
                "New connections that were closed because every other one had a request in flight, by port and by the limit \
                 that was reached.",
                all(),
            ),
        }
    }

    /// A connection was evicted; `reason` is one of a small set.
    pub fn evicted(&self, port: Port, reason: &'static str) {
        self.evicted.get_or_create(&ClosedLabels { port: port.name(), reason }).inc();
    }

    /// A new connection was closed at once; `reason` is one of a small set.
    pub fn refused(&self, port: Port, reason: &'static str) {
        self.refused.get_or_create(&ClosedLabels { port: port.name(), reason }).inc();
    }
}
