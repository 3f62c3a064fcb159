//! Budgets that were used up.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::labels::LimitLabels;
use super::registration::Registration;

/// See the module documentation.
pub struct BudgetMetrics(Family<LimitLabels, Counter>);

impl BudgetMetrics {
    pub(super) fn new(registration: &mut Registration) -> Self {
        Self(registration.add(
            "budget_exceeded",
            "New incidents that got 503 because a budget was used up, by its key in the configuration.",
        ))
    }

    /// A new incident exceeded this budget.
    pub fn exceeded(&self, limit: &'static str) {
        self.0.get_or_create(&LimitLabels { limit }).inc();
    }
}
