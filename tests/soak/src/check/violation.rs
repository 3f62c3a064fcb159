//! The ways in which a history can violate "exactly once".

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An incident has more than one active RR with a count.
    #[error("duplicate: at version {version} the active RRs {rrs:?} of {fingerprint} all have a count")]
    Duplicate {
        /// The incident.
        fingerprint: String,
        /// The names of the RRs.
        rrs: Vec<String>,
        /// The version that made it so.
        version: u64,
    },
    /// A sender observed a count that no write made, or that other signals account for already.
    #[error("lost: signal {signal} was acknowledged with count {count} of {rr}, but no write has room for it")]
    Lost {
        /// The signal.
        signal: u64,
        /// The RR that the response named.
        rr: String,
        /// The count in the response.
        count: u64,
    },
    /// The response names an RR that was terminal before the signal was sent.
    #[error("lost: signal {signal} was acknowledged in {rr}, which was terminal before the signal was sent")]
    AcknowledgedInTerminal {
        /// The signal.
        signal: u64,
        /// The RR.
        rr: String,
    },
    /// A count grew by more signals than were sent.
    #[error("excess: version {version} of {rr} counts {excess} signals that had not been sent by then")]
    Excess {
        /// The RR.
        rr: String,
        /// The version that did it.
        version: u64,
        /// How many signals.
        excess: u64,
    },
    /// More senders got a 201 for an RR than RRs of that name were created.
    #[error("created twice: {responses} responses said 201 for {rr}, which was created {existed} times")]
    CreatedTwice {
        /// The RR's name.
        rr: String,
        /// How many responses said 201.
        responses: usize,
        /// How many RRs of that name there were.
        existed: usize,
    },
    /// Signal `after` was sent after `before` was acknowledged, but was not counted after it.
    #[error(
        "out of order: signal {after} was sent after signal {before} was acknowledged as {before_at}, but was counted as {after_at}"
    )]
    OutOfOrder {
        /// The earlier signal.
        before: u64,
        /// Where it was counted.
        before_at: String,
        /// The later signal.
        after: u64,
        /// Where it was counted.
        after_at: String,
    },
    /// A count decreased.
    #[error("the count of {rr} fell from {from} to {to} at version {version}")]
    CountFell {
        /// The RR.
        rr: String,
        /// The version.
        version: u64,
        /// The count before.
        from: u64,
        /// The count after.
        to: u64,
    },
    /// A signal was counted in a terminal RR.
    #[error("version {version} of {rr} counts more signals, although {rr} was terminal")]
    CountedInTerminal {
        /// The RR.
        rr: String,
        /// The version.
        version: u64,
    },
    /// A terminal RR became active again: its controller broke an assumption of the protocol.
    #[error("reopened: {rr} was terminal and is active again at version {version}")]
    Reopened {
        /// The RR.
        rr: String,
        /// The version.
        version: u64,
    },
    /// A signal was rejected permanently.
    #[error("rejected: signal {signal} got the response {response}")]
    Rejected {
        /// The signal.
        signal: u64,
        /// The response.
        response: String,
    },
    /// An incident's last signal, sent after all faults had ended, was not acknowledged.
    #[error("stuck: the last signal of {fingerprint} was not acknowledged although no fault was active")]
    Stuck {
        /// The incident.
        fingerprint: String,
    },
    /// An active RR without a count remained.
    #[error("uncounted: {rr} is still active and has no count")]
    Uncounted {
        /// The RR.
        rr: String,
    },
    /// The observer missed a version, so the history proves nothing.
    #[error("the observer missed a version: {what}")]
    ObserverGap {
        /// The contradiction.
        what: String,
    },
}
