//! Metrics of a call.

use tokio::time::Instant;

use super::resource::{LEASES, ResourceKind};
use crate::metrics::Metrics;

/// Measures a call until it is dropped, so that a call which a deadline cancels is measured too.
pub(super) struct Measured<'a> {
    metrics: &'a Metrics,
    kind: ResourceKind,
    /// Whether signals wait for it.
    on_path: bool,
    started: Instant,
    label: &'static str,
    failed: bool,
}

impl<'a> Measured<'a> {
    /// Begins a measurement. Dropped without [`Self::end`], it counts as "abandoned".
    pub(super) fn new(metrics: &'a Metrics, kind: ResourceKind, on_path: bool) -> Self {
        Self { metrics, kind, on_path, started: Instant::now(), label: "abandoned", failed: true }
    }

    /// Sets the outcome. `failed` means: without a definite result.
    pub(super) fn end(&mut self, label: &'static str, failed: bool) {
        (self.label, self.failed) = (label, failed);
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        self.metrics.api_call(self.kind.verb, self.kind.resource, self.label, self.started.elapsed());
        if self.failed && self.on_path && self.kind.resource == LEASES {
            self.metrics.lock_failure(self.label);
        }
    }
}
