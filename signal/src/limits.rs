//! Every limit of decoding, with its unit.
//!
//! Lengths are counted in characters (Unicode code points), as Kubernetes counts them for a CRD's `maxLength`. What is
//! part of a signal's identity and too long is refused: cut, it could be taken for another's. What is not, is cut.

/// Alerts in one webhook. Alertmanager writes none in less than 180 bytes, so that a genuine webhook within a body limit of
/// 5 MiB never meets this; it bounds the memory that a body of millions of `{}` can ask for (some 10 MiB).
pub const MAX_ALERTS: usize = 32_768;

/// Characters of a target's name: the longest name that Kubernetes allows.
pub const MAX_NAME: usize = 253;

/// Characters of a target's kind: the longest that Kubernetes allows a CRD to define.
pub const MAX_KIND: usize = 63;

/// Characters of a namespace: a DNS label.
pub const MAX_NAMESPACE: usize = 63;

/// Characters of a cluster's name: `spec.clusterID`.
pub const MAX_CLUSTER: usize = 253;

/// Characters of a signal's name: `spec.signalName`.
pub const MAX_SIGNAL_NAME: usize = 253;

/// Characters of a severity: `spec.severity`. No part of the identity: what is longer is cut.
pub const MAX_SEVERITY: usize = 50;

/// Alerts of one webhook that can never be used and are named one by one in an answer; of the rest it tells how many there
/// are.
pub const MAX_REJECTIONS: usize = 100;

/// Characters of what a JSON error says about the input, which it may quote: what is longer is cut.
pub const MAX_PROBLEM: usize = 200;
