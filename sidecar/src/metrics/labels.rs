//! The label sets of the metrics. Every label has a small set of values: either a closed one, or a bounded one of those that
//! senders choose (`bounded`).

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;

/// Source, severity and state of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SignalLabels {
    pub(super) source_type: &'static str,
    pub(super) severity: Arc<str>,
    pub(super) state: &'static str,
}

/// The source of the signal that an RR was created for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CreatedLabels {
    pub(super) source_type: &'static str,
    pub(super) status: &'static str,
}

/// Why an RR could not be created.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct CreationErrorLabels {
    pub(super) error_type: &'static str,
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
    pub(super) endpoint: &'static str,
    pub(super) method: &'static str,
    pub(super) status: u16,
}

/// The limit that a shed request exceeded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct LimitLabels {
    pub(super) limit: &'static str,
}
