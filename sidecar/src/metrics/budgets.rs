//! Budgets that were used up.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::labels::LimitLabels;
use super::{Metrics, Registration};

/// See the module documentation.
pub(super) struct Budgets(Family<LimitLabels, Counter>);

impl Budgets {
    pub(super) fn new(registration: &mut Registration) -> Self {
        Self(registration.add(
            "budget_exceeded",
            "New incidents that got 503 because a budget was used up, by its key in the configuration.",
        ))
    }
}

impl Metrics {
    /// A new incident exceeded this budget.
    pub fn budget_exceeded(&self, limit: &'static str) {
        self.budgets.0.get_or_create(&LimitLabels { limit }).inc();
    }
}
