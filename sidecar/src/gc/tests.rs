//! The calls of the GC loops, over a scripted wire, in paused time.

mod duplicates;
mod removals;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::GarbageCollector;
use crate::config::{Config, Duplicates};
use crate::doubles::objects::executor;
use crate::doubles::wire::Wire;
use crate::index::Index;
use crate::metrics::Metrics;

struct Rig {
    wire: Arc<Wire>,
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    config: Config,
}

impl Rig {
    fn new() -> Self {
        let (wire, index, metrics) = (Wire::new(), Arc::new(Index::default()), Arc::new(Metrics::new()));
        Self { wire, index, metrics, config: Config::default() }
    }

    fn with_duplicates(duplicates: Duplicates) -> Self {
        let mut rig = Self::new();
        rig.config.duplicates = duplicates;
        rig
    }

    fn collector(&self) -> GarbageCollector {
        let executor = Arc::new(executor(&self.wire, 8, &self.index, &self.metrics));
        let (index, metrics) = (Arc::clone(&self.index), Arc::clone(&self.metrics));
        GarbageCollector::new(&self.config, "incidents", "pod-a", executor, index, metrics)
    }

    /// Adds these RRs to the index.
    fn indexed(&self, rrs: &[Value]) {
        rrs.iter().for_each(|rr| self.index.apply(&serde_json::from_value(rr.clone()).unwrap()));
    }

    /// Runs GC for this time.
    async fn collect_for(&self, time: Duration) {
        assert!(timeout(time, self.collector().run()).await.is_err(), "it never returns");
    }

    /// Whether the rendered metrics contain this text.
    fn shows(&self, text: &str) -> bool {
        self.metrics.render().unwrap().contains(text)
    }
}
