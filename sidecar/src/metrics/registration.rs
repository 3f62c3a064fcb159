//! Registers metrics with their names and help texts.

use std::fmt::Debug;
use std::hash::Hash;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

/// Buckets of durations in seconds: from a cached response to the longest sensible deadline.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A histogram per label set. The constructor is a plain function because the family stores it.
pub(super) type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// A registry under construction.
pub(super) struct Registration<'r> {
    pub(super) registry: &'r mut Registry,
    /// The names so far, without prefix and suffixes.
    pub(super) names: Vec<String>,
}

impl Registration<'_> {
    /// Adds what writes metrics of these names itself, help texts with their full stop included.
    pub(super) fn collect(&mut self, names: &[&str], collector: impl Collector) {
        self.names.extend(names.iter().map(|name| (*name).to_owned()));
        self.registry.register_collector(Box::new(collector));
    }

    pub(super) fn add<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.with(name, help, M::default())
    }

    /// A counter for each of these label sets, which are all that there can be. Each is there from the start, at 0: the rate of
    /// a counter that begins with its first event misses that event, and a ratio with it has no value before.
    pub(super) fn counters<L>(&mut self, name: &str, help: &str, all: impl IntoIterator<Item = L>) -> Family<L, Counter>
    where
        L: Clone + Debug + Hash + Eq + EncodeLabelSet + Send + Sync + 'static,
    {
        let family: Family<L, Counter> = self.add(name, help);
        for labels in all {
            drop(family.get_or_create(&labels));
        }
        family
    }

    pub(super) fn with<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.names.push(name.to_owned());
        // The registry appends a full stop to help texts.
        self.registry.register(name, help.trim_end_matches('.'), metric.clone());
        metric
    }

    pub(super) fn seconds<L>(&mut self, name: &str, help: &str) -> Histograms<L>
    where
        Histograms<L>: Metric + Clone,
        L: Clone + Hash + Eq,
    {
        let family = Histograms::new_with_constructor(|| Histogram::new(SECONDS));
        self.names.push(format!("{name}_seconds"));
        self.registry.register_with_unit(name, help.trim_end_matches('.'), Unit::Seconds, family.clone());
        family
    }
}
