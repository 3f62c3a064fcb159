//! The kinds of faults, and how often each is drawn.

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// SIGKILL; the replica starts again with an empty memory.
    Kill,
    /// SIGSTOP, for longer than `lease.takeoverAfter`.
    Freeze,
    /// SIGSTOP, for longer than `lease.duration`.
    FreezeBeyondLease,
    /// The wall clock jumps, and goes on from there.
    ClockJump,
    /// The replica and the API server do not reach each other; what was under way goes on at the API server.
    Partition,
    /// Some calls never reach the API server, and the connection is cut.
    LoseRequests,
    /// The API server commits some calls, and the connection is cut before the answer.
    LoseAnswers,
    /// Some writes reach the API server only when the replica has long given them up.
    LateRequests,
    /// The API server commits some writes, and the answer comes late, when the replica has perhaps given up.
    LateAnswers,
    /// All calls take longer.
    Slow,
    /// 429 with Retry-After.
    Throttle,
    /// 500, 503 and 504.
    ServerErrors,
}

/// What strikes a process, each with how often it is drawn.
pub(super) const PROCESS: &[(Kind, u32)] =
    &[(Kind::Kill, 8), (Kind::Freeze, 10), (Kind::FreezeBeyondLease, 1), (Kind::ClockJump, 6)];

/// What strikes calls, each with how often it is drawn.
pub(super) const CALLS: &[(Kind, u32)] = &[
    (Kind::Partition, 4),
    (Kind::LoseRequests, 4),
    (Kind::LoseAnswers, 8),
    (Kind::LateRequests, 8),
    (Kind::LateAnswers, 4),
    (Kind::Slow, 4),
    (Kind::Throttle, 3),
    (Kind::ServerErrors, 4),
];

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Kill => "killed and restarted",
            Self::Freeze => "frozen",
            Self::FreezeBeyondLease => "frozen beyond the lease",
            Self::ClockJump => "wall clock jumped",
            Self::Partition => "partitioned",
            Self::LoseRequests => "requests lost",
            Self::LoseAnswers => "answers lost after commit",
            Self::LateRequests => "requests held until late",
            Self::LateAnswers => "answers held until late",
            Self::Slow => "calls slowed down",
            Self::Throttle => "calls answered 429",
            Self::ServerErrors => "calls answered 5xx",
        }
    }
}
