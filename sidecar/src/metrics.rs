//! What is measured, and how it is called. Every metric is registered here, with its help text.
//!
//! Names follow `gateway_*`, so that dashboards made for kubernaut's gateway go on working. The encoder appends
//! `_total` to counters itself.

mod labels;

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

use self::labels::{ApiCallLabels, LockFailureLabels, RemovedLabels, ResponseLabels, ShedLabels, SignalLabels};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From a cached answer to the longest deadline that makes sense, in seconds.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From a lone signal to the largest storm, in signals.
const SIGNALS: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0];

/// A histogram of each label set; a plain function, for the family stores how to make one.
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that the sidecar measures.
pub struct Metrics {
    registry: Registry,
    signals_received: Family<SignalLabels, Counter>,
    signals_deduplicated: Counter,
    crds_created: Counter,
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
    requests_shed: Family<ShedLabels, Counter>,
    connections: Gauge,
    panics: Counter,
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
        let mut names = Names(Registry::with_prefix("gateway"));
        Self {
            signals_received: names.add("signals_received", "Signals decoded from requests, by source and state."),
            signals_deduplicated: names
                .add("signals_deduplicated", "Signals counted in a RemediationRequest that existed before them."),
            crds_created: names.add(
                "crds_created",
                "RemediationRequests whose creation was answered to a sender (201). One whose creator was cut off before it \
                 had counted in it is in no replica's number.",
            ),
            duplicate_crds: names.add(
                "duplicate_crds_detected",
                "Active RemediationRequests beside an older one of the same incident, made by others. Each is reported \
                 by one replica.",
            ),
            removed: names.add(
                "housekeeping_removed",
                "Objects that no incident needs any more and that were removed, by kind: late RemediationRequests \
                 without a count, and Leases whose RemediationRequest is long gone.",
            ),
            indexed: names
                .add("index_incidents", "Incidents with an active RemediationRequest, as the index knows them."),
            index_in_sync: names.add(
                "index_in_sync",
                "1 while the watch of the RemediationRequests works; at 0, a new incident costs an uncached list.",
            ),
            lock_failures: names.add(
                "lock_acquisition_failures",
                "Calls for a claim's Lease that got no definite answer, by reason: those made for signals, which were \
                 answered 503 unless a later try went through.",
            ),
            fingerprint_mismatches: names.add(
                "fingerprint_mismatches",
                "Requests whose x-onceway-fingerprint header is not what was computed from the body: the filter in \
                 Envoy and the sidecar are of different versions.",
            ),
            batch_size: names.with("batch_size", "Signals counted by one write.", Histogram::new(SIGNALS)),
            queue_depth: names.add("queue_depth", "Signals that wait for their incident's next write."),
            incidents: names.add("incidents_in_hand", "Incidents that have a task in this replica."),
            api_calls: names.add("api_calls", "Calls to the Kubernetes API, by verb, resource and outcome."),
            api_call_seconds: names.seconds("api_call_duration", "Time that calls to the Kubernetes API took."),
            request_seconds: names.seconds("http_request_duration", "Time from a request's headers to its answer."),
            requests_in_flight: names.add("http_requests_in_flight", "Requests for signals that are not answered yet."),
            requests_shed: names.add("http_requests_shed", "Requests answered 503 because a limit was reached."),
            connections: names.add("http_connections", "Open connections on the signal port."),
            panics: names.add("panics", "Bugs that stopped one request; their place is in the log."),
            registry: names.0,
        }
    }

    /// All metrics in the OpenMetrics text format; see [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// If a metric cannot be written as text.
    pub fn render(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// A signal was decoded: its source, and "firing", "resolved" or "rejected".
    pub fn received(&self, source: &'static str, state: &'static str) {
        self.signals_received.get_or_create(&SignalLabels { source, state }).inc();
    }

    /// `signals` were counted in an RR that existed before them.
    pub fn deduplicated(&self, signals: u32) {
        self.signals_deduplicated.inc_by(u64::from(signals));
    }

    /// An RR was created, and its creator's signals were counted in it.
    pub fn created(&self) {
        self.crds_created.inc();
    }

    /// An RR was found beside an older active one of its incident.
    pub fn duplicate(&self) {
        self.duplicate_crds.inc();
    }

    /// An object of this kind was removed by the housekeeping.
    pub fn removed(&self, kind: &'static str) {
        self.removed.get_or_create(&RemovedLabels { kind }).inc();
    }

    /// The index knows so many incidents with an active RR, and whether its watch works.
    pub fn indexed(&self, incidents: usize, in_sync: bool) {
        self.indexed.set(i64::try_from(incidents).unwrap_or(i64::MAX));
        self.index_in_sync.set(i64::from(in_sync));
    }

    /// A call for a claim's Lease got no definite answer; `reason` is of a small set, such as "timeout" or "forbidden".
    pub fn lock_failure(&self, reason: &'static str) {
        self.lock_failures.get_or_create(&LockFailureLabels { reason }).inc();
    }

    /// A request's fingerprint header is not what its body says.
    pub fn fingerprint_mismatch(&self) {
        self.fingerprint_mismatches.inc();
    }

    /// One write counted `signals`.
    pub fn batch(&self, signals: u32) {
        self.batch_size.observe(f64::from(signals));
    }

    /// `signals` joined their incident's queue.
    pub fn queued(&self, signals: u32) {
        self.queue_depth.inc_by(i64::from(signals));
    }

    /// `signals` left their incident's queue.
    pub fn dequeued(&self, signals: u32) {
        self.queue_depth.dec_by(i64::from(signals));
    }

    /// An incident came in hand; the value stands for it, and takes it out when dropped.
    pub fn incident(&self) -> InFlight {
        InFlight::new(&self.incidents)
    }

    /// A call to the API server ended after `took`; `outcome` is of a small set, such as "ok", "conflict", "timeout".
    pub fn api_call(&self, verb: &'static str, resource: &'static str, outcome: &'static str, took: Duration) {
        let call = ApiCallLabels { verb, resource, outcome };
        self.api_calls.get_or_create(&call).inc();
        self.api_call_seconds.get_or_create(&call).observe(took.as_secs_f64());
    }

    /// A request came in; the value stands for it, and takes it out when dropped.
    pub fn request(&self) -> InFlight {
        InFlight::new(&self.requests_in_flight)
    }

    /// A request was answered.
    pub fn answered(&self, path: &'static str, status: u16, took: Duration) {
        self.request_seconds.get_or_create(&ResponseLabels { path, status }).observe(took.as_secs_f64());
    }

    /// A request was answered 503 because the limit of this name was reached.
    pub fn shed(&self, limit: &'static str) {
        self.requests_shed.get_or_create(&ShedLabels { limit }).inc();
    }

    /// A connection was opened; the value stands for it, and takes it out when dropped.
    pub fn connection(&self) -> InFlight {
        InFlight::new(&self.connections)
    }

    /// A bug stopped a request.
    pub fn panicked(&self) {
        self.panics.inc();
    }
}

/// Counts one thing in a gauge for as long as it lives, however it ends.
#[derive(Debug)]
pub struct InFlight(Gauge);

impl InFlight {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Registers metrics under their names.
struct Names(Registry);

impl Names {
    fn add<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.with(name, help, M::default())
    }

    fn with<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        // The registry ends a help text with a full stop by itself.
        self.0.register(name, help.trim_end_matches('.'), metric.clone());
        metric
    }

    fn seconds<L>(&mut self, name: &str, help: &str) -> Histograms<L>
    where
        Histograms<L>: Metric + Clone,
        L: Clone + std::hash::Hash + Eq,
    {
        let family = Histograms::new_with_constructor(|| Histogram::new(SECONDS));
        self.0.register_with_unit(name, help.trim_end_matches('.'), Unit::Seconds, family.clone());
        family
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Metrics;

    #[test]
    fn every_metric_is_shown_with_its_help_text_and_value() {
        let metrics = Metrics::default();
        metrics.received("prometheus", "firing");
        metrics.deduplicated(3);
        metrics.created();
        metrics.lock_failure("timeout");
        metrics.fingerprint_mismatch();
        metrics.batch(7);
        metrics.queued(5);
        metrics.dequeued(2);
        metrics.api_call("create", "leases", "conflict", Duration::from_millis(3));
        metrics.answered("/api/v1/signals/prometheus", 202, Duration::from_millis(3));
        metrics.shed("limits.maxSignalsInFlight");
        metrics.panicked();
        let text = metrics.render().unwrap();
        for line in [
            "gateway_signals_received_total{source=\"prometheus\",state=\"firing\"} 1",
            "gateway_signals_deduplicated_total 3",
            "gateway_crds_created_total 1",
            "gateway_lock_acquisition_failures_total{reason=\"timeout\"} 1",
            "gateway_fingerprint_mismatches_total 1",
            "gateway_batch_size_sum 7.0",
            "gateway_queue_depth 3",
            "gateway_api_calls_total{verb=\"create\",resource=\"leases\",outcome=\"conflict\"} 1",
            "gateway_http_request_duration_seconds_count{path=\"/api/v1/signals/prometheus\",status=\"202\"} 1",
            "gateway_http_requests_shed_total{limit=\"limits.maxSignalsInFlight\"} 1",
            "gateway_panics_total 1",
            "# HELP gateway_queue_depth Signals that wait for their incident's next write.",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in:\n{text}");
        }
    }

    #[test]
    fn what_is_in_hand_is_counted_until_it_is_dropped() {
        let metrics = Metrics::new();
        let held = (metrics.request(), metrics.connection(), metrics.incident());
        let shown = |value: &str| {
            let text = metrics.render().unwrap();
            ["gateway_http_requests_in_flight", "gateway_http_connections", "gateway_incidents_in_hand"]
                .iter()
                .all(|name| text.contains(&format!("{name} {value}\n")))
        };
        assert!(shown("1"));
        drop(held);
        assert!(shown("0"));
    }

    #[test]
    fn help_texts_end_with_one_full_stop() {
        let text = Metrics::new().render().unwrap();
        assert!(text.lines().filter(|line| line.starts_with("# HELP")).count() > 5);
        assert!(!text.contains(".."), "{text}");
    }
}
