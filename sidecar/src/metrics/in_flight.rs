//! A gauge of what is in flight.

use prometheus_client::metrics::gauge::Gauge;

/// Increments a gauge, and decrements it when dropped.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl InFlight {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
