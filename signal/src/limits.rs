//! The limits of decoding, with their units.
//!
//! Lengths are counted in characters (Unicode code points), as Kubernetes counts them for a CRD's `maxLength`. A field
//! of a signal's identity that is too long is rejected: truncated, it could equal another's. Other fields are
//! truncated.

/// Alerts in one webhook. Alertmanager writes at least 180 bytes per alert, so a genuine webhook within a body limit of
/// 5 MiB never reaches this. It bounds the memory that a body of millions of `{}` can use (some 10 MiB).
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

/// Characters of a severity: `spec.severity`. Not part of the identity: a longer one is truncated.
pub const MAX_SEVERITY: usize = 50;

/// Unusable alerts of one webhook that a response lists one by one; of the rest it has the number.
pub const MAX_REJECTIONS: usize = 100;

/// Characters of quoted input in a message; longer quotes are truncated.
pub const MAX_PROBLEM: usize = 200;

/// Rules that a user may add to the built-in ones.
pub const MAX_RULES: usize = 256;

/// Entries of `ignore`.
pub const MAX_IGNORED: usize = 64;

/// Observers that a user may add to the built-in ones.
pub const MAX_OBSERVERS: usize = 256;

/// Labels in one condition (`when`, or an entry of `ignore`).
pub const MAX_CONDITIONS: usize = 16;

/// Names in `clusters`.
pub const MAX_CLUSTERS: usize = 1024;

/// Patterns in `denyNamespaces`.
pub const MAX_DENIED_NAMESPACES: usize = 256;

/// Texts in one list of a rule: patterns of a label, names of an observer, labels of a name, a namespace or a cluster.
pub const MAX_ALTERNATIVES: usize = 64;

/// Characters of a label's name or of a pattern in the rules.
pub const MAX_RULE_TEXT: usize = 253;

/// Different labels that all rules together read.
pub const MAX_LABELS: usize = 4096;
