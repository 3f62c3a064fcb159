//! How much happens in a run.

use std::fmt;

use crate::protocol::Protocol;

/// The bounds of what is explored, and the protocol that is. Within them everything may happen, in every order.
///
/// Calls are delayed and reordered, processes frozen and leases judged expired at will: those need no bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// What the replicas run.
    pub protocol: Protocol,
    /// Wall clock of each replica, in Unix seconds. Clocks that differ and do not move are the hardest case.
    pub clocks_s: Vec<u64>,
    /// Whether the replicas are requests of one process, which share its identity.
    pub one_process: bool,
    /// Signals that reach any replica.
    pub signals: u8,
    /// Calls whose answer is lost, each executed at once, at any later time, or never.
    pub losses: u8,
    /// Commits that end at their deadline.
    pub deadlines: u8,
    /// Crashes with restart.
    pub crashes: u8,
    /// RRs that turn terminal.
    pub ends: u8,
    /// RRs that are deleted, in any phase.
    pub deletions: u8,
    /// RRs that are deleted once they are terminal.
    pub burials: u8,
    /// Status writes by other controllers.
    pub touches: u8,
    /// RRs that somebody else creates.
    pub intrusions: u8,
    /// RRs that are looked at by a reaper.
    pub reaps: u8,
    /// Claims that are looked at by a sweeper.
    pub sweeps: u8,
}

impl Bounds {
    /// Two replicas whose wall clocks differ, and nothing that happens.
    #[must_use]
    pub fn two_replicas() -> Self {
        Self { clocks_s: vec![100, 101], ..Self::default() }
    }

    /// Three replicas; the clock of one is ahead.
    #[must_use]
    pub fn three_replicas() -> Self {
        Self { clocks_s: vec![100, 100, 101], ..Self::default() }
    }
}

impl fmt::Display for Bounds {
    /// What happens, as far as it does: `3 replicas, 3 signals, 1 lost answer`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} replicas, {} signals", self.clocks_s.len(), self.signals)?;
        for (number, what) in [
            (self.losses, "lost answers"),
            (self.deadlines, "deadlines"),
            (self.crashes, "crashes"),
            (self.ends, "ends"),
            (self.deletions, "deletions in any phase"),
            (self.burials, "deletions after the end"),
            (self.touches, "status writes by others"),
            (self.intrusions, "RRs of others"),
            (self.reaps, "looks of the reaper"),
            (self.sweeps, "looks of the sweeper"),
        ] {
            if number > 0 {
                write!(formatter, ", {what}: {number}")?;
            }
        }
        Ok(())
    }
}
