//! The kinds of faults and their weights.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// SIGKILL, then a restart with empty memory.
    Kill,
    /// SIGSTOP, for longer than `lease.takeoverAfter`.
    Freeze,
    /// SIGSTOP, for longer than `lease.duration`.
    FreezeBeyondLease,
    /// The wall clock jumps and runs on from there.
    ClockJump,
    /// No connection between replica and API server; calls in flight still run on the API server.
    Partition,
    /// Some calls are cut before they reach the API server.
    LoseRequests,
    /// Some writes reach the API server, but the connection is cut before the response.
    LoseResponses,
    /// Some writes reach the API server late, possibly after the replica's timeout.
    LateRequests,
    /// The response to some writes arrives late, possibly after the replica's timeout.
    LateResponses,
    /// All calls have added latency.
    Slow,
    /// Some calls get 429 with Retry-After.
    Throttle,
    /// Some calls get 500, 503 or 504.
    ServerErrors,
}

/// Faults of a process, with weights.
pub(super) const PROCESS_FAULTS: &[(FaultKind, u32)] =
    &[(FaultKind::Kill, 8), (FaultKind::Freeze, 10), (FaultKind::FreezeBeyondLease, 1), (FaultKind::ClockJump, 6)];

/// Faults of calls, with weights.
pub(super) const CALL_FAULTS: &[(FaultKind, u32)] = &[
    (FaultKind::Partition, 4),
    (FaultKind::LoseRequests, 4),
    (FaultKind::LoseResponses, 8),
    (FaultKind::LateRequests, 8),
    (FaultKind::LateResponses, 4),
    (FaultKind::Slow, 4),
    (FaultKind::Throttle, 3),
    (FaultKind::ServerErrors, 4),
];

impl FaultKind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "killed and restarted",
            Self::Freeze => "frozen",
            Self::FreezeBeyondLease => "frozen beyond the lease",
            Self::ClockJump => "wall clock jumped",
            Self::Partition => "partitioned",
            Self::LoseRequests => "requests lost",
            Self::LoseResponses => "responses lost after commit",
            Self::LateRequests => "requests delayed",
            Self::LateResponses => "responses delayed",
            Self::Slow => "calls slowed",
            Self::Throttle => "429 responses",
            Self::ServerErrors => "5xx responses",
        }
    }
}
