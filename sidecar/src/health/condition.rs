//! What readiness depends on.

/// A condition of readiness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// The RRs were listed once, or the wait for that is over.
    Index,
    /// Every permission is granted, and the CRD is served.
    Permissions,
    /// The replica is not shutting down.
    Draining,
}

impl Condition {
    /// Every condition.
    pub const ALL: [Self; 3] = [Self::Index, Self::Permissions, Self::Draining];

    /// Its name in `/readyz`, in the metrics and in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Permissions => "permissions",
            Self::Draining => "draining",
        }
    }
}
