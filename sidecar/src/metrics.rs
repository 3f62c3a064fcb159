//! The sidecar's metrics. Every metric is registered here, with its help text.
//!
//! Where kubernaut's gateway has a metric of the same meaning, ours has its name, its type and its labels, and sometimes more labels:
//! its dashboards and alerts keep working. `tests/kubernaut/metrics.json` lists its metrics, and those that we do not have, with the
//! reason; a test compares. The encoder appends `_total` to counters.

mod auth;
mod bounded;
mod budgets;
mod connections;
mod deduplication;
mod health;
mod identity;
mod in_flight;
mod labels;
mod outcomes;
mod process;
mod progress;
mod registration;
mod rejections;
mod spans;
mod targets;
mod tls;

use std::fmt;
use std::time::Duration;

use onceway_signal::Source;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::auth::{AuthCheck, AuthMetrics};
use self::bounded::BoundedValues;
pub use self::budgets::{BUDGETS, BudgetMetrics, BudgetUse};
pub use self::connections::{ConnectionMetrics, Port};
pub use self::deduplication::{DeduplicationMetrics, MAX_SIGNAL_NAMES};
pub use self::health::HealthMetrics;
pub use self::identity::{IdentityMetrics, REVISION, VERSION};
pub use self::in_flight::InFlight;
use self::labels::{
    ApiCallLabels, CreatedLabels, CreationErrorLabels, LimitLabels, LockFailureLabels, RemovedLabels, ResponseLabels,
    SignalLabels,
};
pub use self::outcomes::OutcomeMetrics;
use self::process::{PROCESS_METRICS, ProcessMetrics};
pub use self::progress::ProgressMetrics;
use self::progress::is_write;
use self::registration::{Histograms, Registration};
pub use self::rejections::RejectionMetrics;
pub use self::spans::SpanMetrics;
pub use self::targets::TargetMetrics;
pub use self::tls::TlsMetrics;
use crate::logging::{Episodes, Trouble};

/// What every name of ours begins with.
const PREFIX: &str = "gateway";

/// Buckets of batch sizes: from a lone signal to the largest storm.
const SIGNALS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];

/// The keys of the limits that a request may exceed, beside those of the budgets.
const LIMITS: [&str; 6] = [
    "limits.maxRequestsInFlight",
    "limits.maxSignalsInFlight",
    "limits.maxBodyBytesInFlight",
    "limits.maxIncidents",
    "limits.maxQueuePerIncident",
    "limits.deadline",
];

/// Severities that are always distinguished in a label: the usual ones of alerts, and the types of events.
const SEVERITIES: [&str; 9] = ["critical", "error", "warning", "info", "none", "unknown", "Error", "Warning", "Normal"];
/// How many more are, per process; later ones are `other`.
const MAX_MORE_SEVERITIES: usize = 20;

/// All metrics of the sidecar.
pub struct Metrics {
    registry: Registry,
    names: Vec<String>,
    /// Trouble that goes on, for the log.
    pub episodes: Episodes,
    /// What runs, and with which configuration.
    pub identity: IdentityMetrics,
    /// Whether the replica is ready.
    pub health: HealthMetrics,
    /// When something last worked.
    pub progress: ProgressMetrics,
    /// What became of signals and requests.
    pub outcomes: OutcomeMetrics,
    /// Connections that were closed because a limit was reached.
    pub connections: ConnectionMetrics,
    /// How the files of `tls` are.
    pub tls: TlsMetrics,
    signals_received: Family<SignalLabels, Counter>,
    severities: BoundedValues,
    /// Signals of incidents that have an RR.
    pub deduplication: DeduplicationMetrics,
    crds_created: Family<CreatedLabels, Counter>,
    crd_creation_errors: Family<CreationErrorLabels, Counter>,
    duplicate_crds: Counter,
    removed: Family<RemovedLabels, Counter>,
    indexed: Gauge,
    index_in_sync: Gauge,
    lock_failures: Family<LockFailureLabels, Counter>,
    fingerprint_mismatches: Counter,
    batch_size: Histogram,
    queue_depth: Gauge,
    incidents: Gauge,
    api_calls: Family<ApiCallLabels, Counter>,
    api_call_seconds: Histograms<ApiCallLabels>,
    request_seconds: Histograms<ResponseLabels>,
    requests_in_flight: Gauge,
    requests_shed: Family<LimitLabels, Counter>,
    acknowledged_again: Counter,
    open_connections: Gauge,
    panics: Counter,
    /// Rejected signals.
    pub rejections: RejectionMetrics,
    /// Spans of traces.
    pub spans: SpanMetrics,
    /// Budgets that were used up.
    pub budgets: BudgetMetrics,
    /// How the targets of new RRs were found.
    pub targets: TargetMetrics,
    /// Authentication and authorization.
    pub auth: AuthMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Registers every metric.
    pub fn new() -> Self {
        let mut all = Registry::default();
        all.register_collector(Box::new(ProcessMetrics));
        let mut registry = Registration { registry: all.sub_registry_with_prefix(PREFIX), names: Vec::new() };
        let mut metrics = Self {
            names: Vec::new(),
            episodes: Episodes::default(),
            identity: IdentityMetrics::new(&mut registry),
            health: HealthMetrics::new(&mut registry),
            progress: ProgressMetrics::new(&mut registry),
            outcomes: OutcomeMetrics::new(&mut registry),
            signals_received: registry.add(
                "signals_received",
                "Signals decoded from requests, by source, severity (other beyond the usual ones and 20 more) and state.",
            ),
            severities: BoundedValues::new(&SEVERITIES, MAX_MORE_SEVERITIES),
            deduplication: DeduplicationMetrics::new(&mut registry),
            crds_created: registry.counters(
                "crds_created",
                "RemediationRequests that were reported as created (201). One whose creator failed before its first count \
                 is not included in any replica's value.",
                Source::ALL.map(|source| CreatedLabels { source_type: source.as_str(), status: "created" }),
            ),
            crd_creation_errors: registry.add(
                "crd_creation_errors",
                "Calls that should have created a RemediationRequest and did not, by their outcome. Most are repeated.",
            ),
            duplicate_crds: registry.add(
                "duplicate_crds_detected",
                "Active RemediationRequests besides an older one of the same incident, created by other clients. Each is \
                 reported by one replica.",
            ),
            removed: registry.counters(
                "housekeeping_removed",
                "Objects deleted by garbage collection, by kind: late RemediationRequests without a count, and Leases \
                 whose RemediationRequest was deleted long ago.",
                ["lease", "remediationrequest"].map(|kind| RemovedLabels { kind }),
            ),
            indexed: registry
                .add("index_incidents", "Incidents with an active RemediationRequest in the index."),
            index_in_sync: registry.add(
                "index_in_sync",
                "1 while the watch of the RemediationRequests works; at 0, each new incident costs an uncached list.",
            ),
            lock_failures: registry.add(
                "lock_acquisition_failures",
                "Calls about a claim's Lease without a definite result, by reason, while signals waited for them. The \
                 signals get 503 unless a later call succeeds.",
            ),
            fingerprint_mismatches: registry.add(
                "fingerprint_mismatches",
                "Requests whose x-onceway-fingerprint header differs from the fingerprint of the body: the filter in \
                 Envoy and the sidecar have different versions.",
            ),
            batch_size: registry.with("batch_size", "Signals counted by one write.", Histogram::new(SIGNALS)),
            queue_depth: registry.add("queue_depth", "Signals that wait for their incident's next write."),
            incidents: registry.add("incidents_in_hand", "Incidents with a task in this replica."),
            api_calls: registry.add("api_calls", "Calls to the Kubernetes API, by verb, resource and outcome."),
            api_call_seconds: registry.seconds("api_call_duration", "Duration of calls to the Kubernetes API."),
            request_seconds: registry.seconds("http_request_duration", "Time from a request's headers to its response."),
            requests_in_flight: registry.add("http_requests_in_flight", "Signal requests without a response yet."),
            requests_shed: registry.counters(
                "http_requests_shed",
                "Requests that got 503 because a limit was reached.",
                LIMITS.into_iter().chain(BUDGETS).map(|limit| LimitLabels { limit }),
            ),
            acknowledged_again: registry.add(
                "signals_acknowledged_again",
                "Signals of a webhook's retry that were acknowledged and not counted again, because its earlier attempt had \
                 counted them.",
            ),
            open_connections: registry.add("http_connections", "Open connections on the signal port."),
            panics: registry.add("panics", "Panics, each of which ended one request or one incident's task; the log has their location."),
            rejections: RejectionMetrics::new(&mut registry),
            spans: SpanMetrics::new(&mut registry),
            budgets: BudgetMetrics::new(&mut registry),
            targets: TargetMetrics::new(&mut registry),
            auth: AuthMetrics::new(&mut registry),
            connections: ConnectionMetrics::new(&mut registry),
            tls: TlsMetrics::new(&mut registry),
            registry: Registry::default(),
        };
        let ours = registry.names.into_iter().map(|name| format!("{PREFIX}_{name}"));
        metrics.names = ours.chain(PROCESS_METRICS.map(str::to_owned)).collect();
        metrics.registry = all;
        metrics
    }

    /// The names of all metrics, without the suffixes that a format adds to those of a type.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// All metrics in the OpenMetrics text format.
    ///
    /// # Errors
    /// If a metric cannot be written as text.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// `signals` were decoded; `state` is "firing", "resolved", "ignored" or "rejected".
    pub fn received(&self, source_type: &'static str, severity: &str, state: &'static str, signals: u64) {
        let severity = self.severities.value(severity);
        self.signals_received.get_or_create(&SignalLabels { source_type, severity, state }).inc_by(signals);
        if state == "firing" {
            self.deduplication.fired(signals);
        }
    }

    /// An RR was created for signals of this source, and its creator's signals were counted in it.
    pub fn created(&self, source_type: &'static str) {
        self.crds_created.get_or_create(&CreatedLabels { source_type, status: "created" }).inc();
    }

    /// An RR was found besides an older active one of its incident.
    pub fn duplicate(&self) {
        self.duplicate_crds.inc();
    }

    /// GC deleted an object of this kind.
    pub fn removed(&self, kind: &'static str) {
        self.removed.get_or_create(&RemovedLabels { kind }).inc();
    }

    /// The number of incidents with an active RR in the index, and whether its watch works.
    pub fn indexed(&self, incidents: usize, in_sync: bool) {
        self.indexed.set(i64::try_from(incidents).unwrap_or(i64::MAX));
        self.index_in_sync.set(i64::from(in_sync));
    }

    /// A call about a claim's Lease had no definite result; `reason` is one of a small set, such as "timeout" or "forbidden".
    pub fn lock_failure(&self, reason: &'static str) {
        self.lock_failures.get_or_create(&LockFailureLabels { reason }).inc();
    }

    /// A request's fingerprint header differs from the fingerprint of its body.
    pub fn fingerprint_mismatch(&self) {
        self.fingerprint_mismatches.inc();
    }

    /// One write counted `signals`.
    pub fn batch(&self, signals: u32) {
        self.batch_size.observe(f64::from(signals));
        self.outcomes.counted(signals);
    }

    /// `signals` joined their incident's queue.
    pub fn queued(&self, signals: u32) {
        self.queue_depth.inc_by(i64::from(signals));
    }

    /// `signals` left their incident's queue.
    pub fn dequeued(&self, signals: u32) {
        self.queue_depth.dec_by(i64::from(signals));
    }

    /// An incident's task started; it ends when the guard is dropped.
    pub fn incident(&self) -> InFlight {
        InFlight::new(&self.incidents)
    }

    /// A call to the API server ended after `took`; `outcome` is one of a small set, such as "ok", "conflict", "timeout".
    pub fn api_call(&self, verb: &'static str, resource: &'static str, outcome: &'static str, took: Duration) {
        let call = ApiCallLabels { verb, resource, outcome };
        self.api_calls.get_or_create(&call).inc();
        match outcome {
            "throttled" => self.episodes.hit(Trouble::Throttled),
            "timeout" | "connection" | "server_error" => self.episodes.hit(Trouble::ApiFailing(outcome)),
            _ => {}
        }
        if outcome == "ok" && is_write(verb, resource) {
            self.progress.written();
        }
        if (verb, resource) == ("create", "remediationrequests") && !matches!(outcome, "ok" | "conflict") {
            self.crd_creation_errors.get_or_create(&CreationErrorLabels { error_type: outcome }).inc();
        }
        self.api_call_seconds.get_or_create(&call).observe(took.as_secs_f64());
    }

    /// A request arrived; it ends when the guard is dropped.
    pub fn request(&self) -> InFlight {
        InFlight::new(&self.requests_in_flight)
    }

    /// A response was sent.
    pub fn answered(&self, endpoint: &'static str, method: &'static str, status: u16, took: Duration) {
        self.request_seconds.get_or_create(&ResponseLabels { endpoint, method, status }).observe(took.as_secs_f64());
    }

    /// A request got 503 because the limit of this name was reached.
    pub fn shed(&self, limit: &'static str) {
        self.requests_shed.get_or_create(&LimitLabels { limit }).inc();
        self.episodes.hit(Trouble::Shedding(limit));
    }

    /// Signals of a retry were acknowledged that an earlier attempt had counted.
    pub fn acknowledged_again(&self, signals: u32) {
        self.acknowledged_again.inc_by(u64::from(signals));
    }

    /// A connection was opened; it ends when the guard is dropped.
    pub fn connection(&self) -> InFlight {
        InFlight::new(&self.open_connections)
    }

    /// A request or an incident's task panicked.
    pub fn panicked(&self) {
        self.panics.inc();
    }
}

#[cfg(test)]
mod tests;
