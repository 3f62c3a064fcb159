//! The bounds of an exploration.

use std::fmt;

use crate::protocol::Protocol;

/// The explored protocol, and how often each kind of event may happen. Within the bounds, all orders are explored.
///
/// Some events need no bound and may happen in every state: calls are delayed and reordered, processes are frozen,
/// leases expire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// The protocol that the replicas run.
    pub protocol: Protocol,
    /// The wall clock of each replica, in Unix seconds. Clocks that differ and do not advance are the hardest case.
    pub clocks_s: Vec<u64>,
    /// Whether the replicas are concurrent requests of one process, which share its identity.
    pub one_process: bool,
    /// Signals, each of which may reach any replica.
    pub signals: u8,
    /// Calls whose response is lost. Each is executed at once, at any later time, or never.
    pub lost_responses: u8,
    /// Commits that end at their deadline.
    pub deadlines: u8,
    /// Crashes with restart.
    pub crashes: u8,
    /// RRs that reach a terminal phase.
    pub terminations: u8,
    /// Deletions of RRs in any phase.
    pub deletions: u8,
    /// Deletions of terminal RRs.
    pub terminal_deletions: u8,
    /// Status writes by other controllers.
    pub foreign_writes: u8,
    /// RRs that somebody else creates.
    pub foreign_rrs: u8,
    /// Garbage collections of an RR.
    pub rr_gcs: u8,
    /// Garbage collections of the claim.
    pub claim_gcs: u8,
}

impl Bounds {
    /// Two replicas whose wall clocks differ; no events.
    #[must_use]
    pub fn two_replicas() -> Self {
        Self { clocks_s: vec![100, 101], ..Self::default() }
    }

    /// Three replicas, of which one has a clock that is ahead; no events.
    #[must_use]
    pub fn three_replicas() -> Self {
        Self { clocks_s: vec![100, 100, 101], ..Self::default() }
    }
}

impl fmt::Display for Bounds {
    /// The bounds that are not 0: `3 replicas, 3 signals, lost responses: 1`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} replicas, {} signals", self.clocks_s.len(), self.signals)?;
        for (number, event) in [
            (self.lost_responses, "lost responses"),
            (self.deadlines, "deadlines"),
            (self.crashes, "crashes"),
            (self.terminations, "terminal RRs"),
            (self.deletions, "deletions in any phase"),
            (self.terminal_deletions, "deletions in a terminal phase"),
            (self.foreign_writes, "status writes by others"),
            (self.foreign_rrs, "RRs created by others"),
            (self.rr_gcs, "RR GCs"),
            (self.claim_gcs, "claim GCs"),
        ] {
            if number > 0 {
                write!(formatter, ", {event}: {number}")?;
            }
        }
        Ok(())
    }
}
