//! The proxy's state behind the host functions.

use std::collections::{BTreeMap, BTreeSet};

use wasmtime::{StoreLimits, StoreLimitsBuilder};

use super::http_call::{SubRequest, SubResponse};
use super::{MEMORY_LIMIT, ROOT_CONTEXT};

/// Names and values of headers, as bytes: clients send values that are not UTF-8.
pub(super) type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// Name of a decision's counter up to the decision.
pub const DECISION_METRIC_PREFIX: &str = "onceway_filter_requests_total.outcome.";

/// The cluster that the proxy has.
pub(super) const CLUSTER: &str = "onceway";

/// A line of the proxy's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// From 0 (trace) to 5 (critical).
    pub level: u32,
    /// Text.
    pub message: String,
}

/// A response that the filter sends itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalResponse {
    /// HTTP status.
    pub status: u32,
    /// `%RESPONSE_CODE_DETAILS%` in the access log.
    pub details: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

/// The proxy as one VM sees it.
pub(super) struct Proxy {
    pub(super) limits: StoreLimits,
    pub(super) config: Vec<u8>,
    /// The host functions that fail, with their status.
    pub(super) faults: BTreeMap<String, u32>,
    /// The host functions called so far.
    pub(super) called: BTreeSet<String>,
    /// By id.
    pub(super) counters: Vec<(String, u64)>,
    pub(super) log: Vec<LogLine>,
    pub(super) stream: Stream,
    /// The context that host calls apply to.
    pub(super) effective_context: u32,
    /// The property `xds.cluster_name`.
    pub(super) route_cluster: Option<Vec<u8>>,
    /// Sub-requests without a response yet.
    pub(super) in_flight: Vec<SubRequest>,
    /// Limit of `in_flight`.
    pub(super) breaker: usize,
    pub(super) last_token: u32,
    /// The sub-response being delivered.
    pub(super) sub_response: Option<SubResponse>,
    pub(super) now_ns: u64,
    /// What the filter has set for all workers, each with its version.
    pub(super) shared: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
}

/// The current request as the host functions see it.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) context: u32,
    pub(super) headers: Headers,
    /// The headers are not upstream yet.
    pub(super) has_headers: bool,
    /// The buffered part of the body.
    pub(super) body: Vec<u8>,
    pub(super) local_response: Option<LocalResponse>,
    /// The filter has resumed the request by a host call.
    pub(super) resumed: bool,
    /// Its sub-requests, in order.
    pub(super) sub_requests: Vec<SubRequest>,
    /// The counters incremented for it, in order.
    pub(super) counted: Vec<String>,
    pub(super) fuel: u64,
    /// The host functions called for it, in order.
    pub(super) host_calls: Vec<String>,
    /// The filter's exports called for it, in order.
    pub(super) entries: Vec<String>,
}

impl Proxy {
    pub(super) fn new(config: &str) -> Proxy {
        Proxy {
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_LIMIT).build(),
            config: config.as_bytes().to_vec(),
            faults: BTreeMap::new(),
            called: BTreeSet::new(),
            counters: Vec::new(),
            log: Vec::new(),
            stream: Stream::default(),
            effective_context: ROOT_CONTEXT,
            route_cluster: Some(CLUSTER.as_bytes().to_vec()),
            in_flight: Vec::new(),
            breaker: usize::MAX,
            last_token: 0,
            sub_response: None,
            now_ns: 1_000_000_000,
            shared: BTreeMap::new(),
        }
    }
}
