//! The label sets of the metrics. Every label has a small, closed set of values: a sender cannot choose any.

use prometheus_client::encoding::EncodeLabelSet;

/// Source and state of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SignalLabels {
    pub(super) source: &'static str,
    pub(super) state: &'static str,
}

/// Why a call about a claim's Lease had no definite result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LockFailureLabels {
    pub(super) reason: &'static str,
}

/// The kind of an object that GC deleted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RemovedLabels {
    pub(super) kind: &'static str,
}

/// A call to the API server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ApiCallLabels {
    pub(super) verb: &'static str,
    pub(super) resource: &'static str,
    pub(super) outcome: &'static str,
}

/// A response to a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ResponseLabels {
    pub(super) path: &'static str,
    pub(super) status: u16,
}

/// The limit that a shed request exceeded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LimitLabels {
    pub(super) limit: &'static str,
}
