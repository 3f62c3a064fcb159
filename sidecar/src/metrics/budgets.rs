//! How much of each budget is used, and new incidents that exceeded one.

use std::fmt;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;

use super::labels::LimitLabels;
use super::registration::Registration;

/// One budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetUse {
    /// Its key in the configuration.
    pub limit: &'static str,
    /// How much of it is used.
    pub used: usize,
    /// How much there is; `None`: it is not limited.
    pub of: Option<usize>,
}

/// The keys of the budgets in the configuration.
pub const BUDGETS: [&str; 3] =
    ["limits.maxActiveIncidents", "limits.maxActiveIncidentsPerNamespace", "limits.maxNewIncidentsPerMinute"];

/// What tells how much of each budget is used.
type Look = Box<dyn Fn() -> Vec<BudgetUse> + Send + Sync>;

/// See the module documentation.
pub struct BudgetMetrics {
    exceeded: Family<LimitLabels, Counter>,
    used: Arc<OnceLock<Look>>,
}

impl BudgetMetrics {
    pub(super) fn new(registration: &mut Registration) -> Self {
        let used = Arc::default();
        registration.collect(&["budget_used", "budget_limit"], Usage(Arc::clone(&used)));
        Self {
            exceeded: registration.counters(
                "budget_exceeded",
                "New incidents that got 503 because a budget was used up, by its key in the configuration.",
                BUDGETS.map(|limit| LimitLabels { limit }),
            ),
            used,
        }
    }

    /// A new incident exceeded this budget.
    pub fn exceeded(&self, limit: &'static str) {
        self.exceeded.get_or_create(&LimitLabels { limit }).inc();
    }

    /// Where to look for what is used. Only the first call counts.
    pub fn look_at(&self, look: impl Fn() -> Vec<BudgetUse> + Send + Sync + 'static) {
        let _ = self.used.set(Box::new(look));
    }
}

/// Looks when it is asked.
struct Usage(Arc<OnceLock<Look>>);

impl fmt::Debug for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Usage")
    }
}

impl Collector for Usage {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(look) = self.0.get() else { return Ok(()) };
        let budgets = look();
        let mut family = |name: &str, help: &str, value: &dyn Fn(&BudgetUse) -> Option<usize>| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for budget in &budgets {
                let Some(value) = value(budget) else { continue };
                let labels = LimitLabels { limit: budget.limit };
                ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX)).encode(family.encode_family(&labels)?)?;
            }
            Ok(())
        };
        let help = "How much of each budget is used, as far as this replica knows, by its key in the configuration: of those for \
                    each namespace and each sender, by the one that uses most.";
        family("budget_used", help, &|budget| Some(budget.used))?;
        let help = "How much of each budget there is, by its key in the configuration; none where it is not limited.";
        family("budget_limit", help, &|budget| budget.of)
    }
}
