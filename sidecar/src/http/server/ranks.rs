//! The connections of one peer, or of all, in the order in which they are evicted.

use std::collections::BTreeSet;

use tokio::time::Instant;

/// The number of a connection; never used twice.
pub(super) type ConnectionId = u64;

/// Of this many places one is kept for connections without a request, so that an honest newcomer has time to send its
/// first one while others hold idle connections.
const NEWCOMER_SHARE: usize = 4;

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It has not sent a complete request yet.
    Fresh,
    /// It has no request in flight.
    Idle,
    /// The bodies of all its requests in flight are still arriving.
    Uploading,
    /// A complete request waits for its response. Never evicted.
    Busy,
}

/// Where a connection stands: its stage, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    pub(super) stage: Stage,
    pub(super) since: Instant,
}

/// Connections by rank.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    fresh: BTreeSet<(Instant, ConnectionId)>,
    idle: BTreeSet<(Instant, ConnectionId)>,
    uploading: BTreeSet<(Instant, ConnectionId)>,
    busy: usize,
}

impl Ranks {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.idle.len() + self.uploading.len() + self.busy
    }

    pub(super) fn insert(&mut self, id: ConnectionId, rank: Rank) {
        match self.set(rank.stage) {
            Some(set) => drop(set.insert((rank.since, id))),
            None => self.busy += 1,
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId, rank: Rank) {
        match self.set(rank.stage) {
            Some(set) => drop(set.remove(&(rank.since, id))),
            None => self.busy = self.busy.saturating_sub(1),
        }
    }

    /// The connection to evict with room for `limit`: one that never sent a request, while these hold more than their share;
    /// else the one that is idle for longest; else the slowest sender of a body.
    pub(super) fn idlest(&self, limit: usize) -> Option<ConnectionId> {
        let first = |set: &BTreeSet<(Instant, ConnectionId)>| set.first().copied();
        let crowded = first(&self.fresh).filter(|_| self.fresh.len() > limit / NEWCOMER_SHARE);
        let others = [&self.idle, &self.fresh, &self.uploading];
        crowded.or_else(|| others.into_iter().find_map(first)).map(|(_, id)| id)
    }

    fn set(&mut self, stage: Stage) -> Option<&mut BTreeSet<(Instant, ConnectionId)>> {
        match stage {
            Stage::Fresh => Some(&mut self.fresh),
            Stage::Idle => Some(&mut self.idle),
            Stage::Uploading => Some(&mut self.uploading),
            Stage::Busy => None,
        }
    }
}
