//! What the proxy knows: the state behind the host functions.

use std::collections::{BTreeMap, BTreeSet};

use wasmtime::{StoreLimits, StoreLimitsBuilder};

use super::http_call::{HttpCall, Reply};
use super::{MEMORY_LIMIT, ROOT_CONTEXT};

/// Names and values of headers. Bytes: clients send what they like.
pub(super) type Headers = Vec<(Vec<u8>, Vec<u8>)>;

/// What stands before an outcome in the name of its counter.
pub const OUTCOMES: &str = "onceway_filter_requests_total.outcome.";

/// A line of the proxy's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// From 0 (trace) to 5 (critical).
    pub level: u32,
    /// The text.
    pub message: String,
}

/// An answer that the filter gave itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalResponse {
    /// The HTTP status.
    pub status: u32,
    /// What the access log would say of it.
    pub details: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The proxy, as far as one VM sees it.
pub(super) struct Proxy {
    pub(super) limits: StoreLimits,
    pub(super) config: Vec<u8>,
    /// The host functions that fail, with the status of each.
    pub(super) faults: BTreeMap<String, u32>,
    /// The host functions that were called.
    pub(super) called: BTreeSet<String>,
    /// By id.
    pub(super) counters: Vec<(String, u64)>,
    pub(super) log: Vec<LogLine>,
    pub(super) stream: Stream,
    /// The context that the filter's calls are about.
    pub(super) effective_context: u32,
    /// The filter's own requests that have no reply yet.
    pub(super) in_flight: Vec<HttpCall>,
    /// How many of them there may be.
    pub(super) breaker: usize,
    pub(super) last_token: u32,
    /// The reply that the filter is being told of.
    pub(super) reply: Option<Reply>,
    pub(super) now_ns: u64,
}

/// The request that is being served, as the host functions see it.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) context: u32,
    pub(super) headers: Headers,
    /// Whether the headers are still here and not upstream already.
    pub(super) has_headers: bool,
    /// The part of the body that can be read now.
    pub(super) body: Vec<u8>,
    pub(super) local_response: Option<LocalResponse>,
    /// Whether the filter let it go on by a call of its own.
    pub(super) resumed: bool,
    /// The filter's own requests for it, in order.
    pub(super) http_calls: Vec<HttpCall>,
    /// The counters that were incremented, in order.
    pub(super) counted: Vec<String>,
    pub(super) fuel: u64,
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
            in_flight: Vec::new(),
            breaker: usize::MAX,
            last_token: 0,
            reply: None,
            now_ns: 1_000_000_000,
        }
    }
}
