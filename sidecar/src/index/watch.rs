//! Keeps the index up to date.

use std::sync::Arc;
use std::time::Duration;

use kube::runtime::watcher::{Config, Event};
use kube::{Api, Client};
use tracing::info;

use super::Index;
use super::observed::Observed;
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;
use crate::watching::{self, Sink};

/// RRs per page of the list: each may have 100 KiB, and a page is held in memory as a whole.
const PAGE: u32 = 100;

/// Where watch events go.
#[derive(Clone)]
pub struct WatchSinks {
    /// The index.
    pub index: Arc<Index>,
    /// Notified on 401 and 403.
    pub recheck: PermissionRecheck,
    /// The metrics of the index.
    pub metrics: Arc<Metrics>,
}

/// Follows the RRs of `namespace`; never returns. Each watch lasts `watch` (whole seconds).
pub async fn follow(client: Client, namespace: String, watch: Duration, sinks: WatchSinks) {
    let every = Config::default().page_size(PAGE);
    watching::follow(client, every, watch, sinks, |client| Api::<Observed>::namespaced(client, &namespace)).await;
}

impl Sink<Observed> for WatchSinks {
    const WATCHED: &'static str = "RemediationRequests";

    fn handle(&self, event: Event<Observed>) {
        match event {
            Event::Init => self.index.begin_list(),
            Event::InitApply(observed) => self.index.list(&observed),
            Event::InitDone => {
                self.index.end_list();
                info!(
                    event = "index_listed",
                    incidents = self.index.size().0,
                    "the index of the RemediationRequests is in sync"
                );
            }
            Event::Apply(observed) => self.index.apply(&observed),
            Event::Delete(observed) => self.index.remove(&observed),
        }
        self.record_size();
    }

    fn lose_sync(&self) {
        self.index.lose_sync();
        self.record_size();
    }

    fn regain_sync(&self) {
        self.index.regain_sync();
        self.record_size();
    }

    fn refused(&self) {
        self.recheck.request();
    }

    fn heard(&self) {
        self.metrics.progress.index_heard();
    }
}

impl WatchSinks {
    fn record_size(&self) {
        let (incidents, in_sync) = self.index.size();
        self.metrics.indexed(incidents, in_sync);
    }
}

#[cfg(test)]
mod tests;
