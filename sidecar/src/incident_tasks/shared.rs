//! What all incident tasks of a replica share.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sync::{Mutex, MutexGuard};
use super::table::{Bounds, Table};
use super::write_latency::WriteLatency;
use crate::metrics::Metrics;

/// Settings of the incident tasks, named as in the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of the RRs, for responses.
    pub namespace: String,
    /// This process as a claim's holder: `<POD_NAME>_<per-process id>`.
    pub identity: Arc<str>,
    /// `limits.deadline`, for error texts and intervals; each submission has its own point in time.
    pub deadline: Duration,
    /// `limits.maxIncidents`.
    pub max_incidents: usize,
    /// `limits.maxQueuePerIncident`.
    pub max_queue_per_incident: usize,
    /// `limits.incidentIdle`.
    pub incident_idle: Duration,
    /// `batching.countInterval`.
    pub count_interval: Duration,
    /// `batching.maxBytesPerSecond`.
    pub max_bytes_per_second: u32,
    /// `lease.takeoverAfter`.
    pub takeover_after: Duration,
}

/// The table of incidents, and what every task needs to commit.
pub(super) struct Shared<E> {
    pub(super) executor: E,
    pub(super) settings: Settings,
    pub(super) metrics: Arc<Metrics>,
    table: Mutex<Table>,
    pub(super) write_latency: WriteLatency,
    /// Cancelled while the table is locked: submissions that are queued by then still get a result.
    pub(super) draining: CancellationToken,
    pub(super) tracker: TaskTracker,
}

impl<E> Shared<E> {
    pub(super) fn new(executor: E, settings: Settings, metrics: Arc<Metrics>) -> Self {
        let bounds = Bounds {
            incidents: settings.max_incidents,
            queue: settings.max_queue_per_incident,
            idle: settings.incident_idle,
        };
        Self {
            executor,
            settings,
            metrics,
            table: Mutex::new(Table::new(bounds)),
            write_latency: WriteLatency::new(),
            draining: CancellationToken::new(),
            tracker: TaskTracker::new(),
        }
    }

    /// A poisoned lock is usable: no invariant spans two operations of the table.
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
