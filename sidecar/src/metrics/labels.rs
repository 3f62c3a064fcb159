//! The label sets of the metrics. Every label is of a small, closed set: none holds what a sender can choose.

use prometheus_client::encoding::EncodeLabelSet;

/// What a signal was, and where from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SignalLabels {
    pub(super) source: &'static str,
    pub(super) state: &'static str,
}

/// Why a claim's Lease gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LockFailureLabels {
    pub(super) reason: &'static str,
}

/// What was removed.
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

/// An answer to a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ResponseLabels {
    pub(super) path: &'static str,
    pub(super) status: u16,
}

/// A limit that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ShedLabels {
    pub(super) limit: &'static str,
}
