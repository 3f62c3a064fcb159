//! What a history can have wrong.

/// One thing that must not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An incident has two active RRs with a count.
    #[error("duplicate: at version {version} the active RRs {rrs:?} of {fingerprint} all have a count")]
    Duplicate {
        /// The incident.
        fingerprint: String,
        /// The names of the RRs.
        rrs: Vec<String>,
        /// The version that made it so.
        version: u64,
    },
    /// A sender was told of a count that no write made, or that is made of others already.
    #[error("lost: signal {signal} was told that it is number {count} or less of {rr}, which no write has room for")]
    Lost {
        /// The signal.
        signal: u64,
        /// The RR that its sender was told of.
        rr: String,
        /// The count that its sender was told.
        count: u64,
    },
    /// A sender was told of an RR that had ended before the signal was sent.
    #[error("lost: signal {signal} was told that it is counted in {rr}, which had ended before the signal was sent")]
    ToldOfEnded {
        /// The signal.
        signal: u64,
        /// The RR.
        rr: String,
    },
    /// A count grew by more than was sent.
    #[error("excess: version {version} of {rr} counts {excess} signals that nobody can have sent by then")]
    Excess {
        /// The RR.
        rr: String,
        /// The write that did it.
        version: u64,
        /// How many.
        excess: u64,
    },
    /// Two senders were told that they created the same RR.
    #[error("created twice: {said} senders were told that they created {rr}, which was created {existed} times")]
    CreatedTwice {
        /// The RR's name.
        rr: String,
        /// How many were told so.
        said: usize,
        /// How many RRs of that name there were.
        existed: usize,
    },
    /// Signal `after` was sent after `before` was acknowledged, and got no later place.
    #[error(
        "out of order: signal {after} was sent after signal {before} had been acknowledged as {before_at}, and is {after_at}"
    )]
    OutOfOrder {
        /// The earlier signal.
        before: u64,
        /// Its place.
        before_at: String,
        /// The later signal.
        after: u64,
        /// Its place.
        after_at: String,
    },
    /// A count became lower.
    #[error("the count of {rr} fell from {from} to {to} at version {version}")]
    Fell {
        /// The RR.
        rr: String,
        /// The version.
        version: u64,
        /// Before.
        from: u64,
        /// After.
        to: u64,
    },
    /// A signal was counted in an RR that had ended.
    #[error("{rr} had ended, and version {version} counts more in it")]
    CountedInEnded {
        /// The RR.
        rr: String,
        /// The version.
        version: u64,
    },
    /// An RR that had ended became active again: whoever ended it broke what the protocol rests on.
    #[error("reopened: {rr} had ended, and is active again at version {version}")]
    Reopened {
        /// The RR.
        rr: String,
        /// The version.
        version: u64,
    },
    /// A signal was refused for good.
    #[error("refused: signal {signal} was answered {answer}")]
    Refused {
        /// The signal.
        signal: u64,
        /// The answer.
        answer: String,
    },
    /// The faults were over, and an incident's last signal still did not get through.
    #[error("stuck: the last signal of {fingerprint} was not acknowledged, although the faults were over")]
    Stuck {
        /// The incident.
        fingerprint: String,
    },
    /// An active RR without a count was left behind.
    #[error("left behind: {rr} is active and has no count")]
    LeftBehind {
        /// The RR.
        rr: String,
    },
    /// The observer did not see everything, so that its history proves nothing.
    #[error("the observer has missed something: {what}")]
    Gap {
        /// What.
        what: String,
    },
}
