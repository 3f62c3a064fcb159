//! Decides which connection is admitted and which one is evicted for it. Pure: the caller gives the time.
//!
//! A newcomer is always admitted while anybody is evictable: refusing it would let those who hold connections shut
//! everybody else out. A peer at its limit displaces one of its own, so it cannot displace others.

use std::collections::HashMap;

use tokio::time::Instant;

use super::peer::Peer;
use super::ranks::{ConnectionId, Rank, Ranks, Stage};

/// The limits of one socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableLimits {
    /// Connections in all.
    pub(super) connections: usize,
    /// Connections of one peer.
    pub(super) per_peer: usize,
}

/// The limit for which a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// That of its peer.
    Peer,
    /// That of the socket.
    Total,
    /// That of the process: no file descriptor is free.
    Files,
}

impl Limit {
    /// Its name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Total => "total",
            Self::Files => "files",
        }
    }
}

/// Whether a newcomer is admitted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission<H> {
    /// Under this number, and in place of the one evicted.
    Admitted(ConnectionId, Option<(H, Limit)>),
    /// No: nobody is evictable.
    Refused(Limit),
}

#[derive(Debug)]
struct Entry<H> {
    peer: Peer,
    rank: Rank,
    /// Requests without a response, and how many of them are still arriving.
    in_flight: usize,
    arriving: usize,
    /// Taken when it is evicted; from then on it counts no more.
    handle: Option<H>,
}

/// The open connections of one socket. `H` closes a connection.
#[derive(Debug)]
pub(super) struct ConnectionTable<H> {
    limits: TableLimits,
    next: ConnectionId,
    entries: HashMap<ConnectionId, Entry<H>>,
    all: Ranks,
    peers: HashMap<Peer, Ranks>,
}

impl<H> ConnectionTable<H> {
    pub(super) fn new(limits: TableLimits) -> Self {
        let per_peer = limits.per_peer.min(limits.connections);
        let limits = TableLimits { per_peer, ..limits };
        Self { limits, next: 0, entries: HashMap::new(), all: Ranks::default(), peers: HashMap::new() }
    }

    /// How many connections count against the socket's limit.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// A connection of `peer` was accepted; `handle` closes it.
    pub(super) fn admit(&mut self, peer: Peer, handle: H, now: Instant) -> Admission<H> {
        let of_peer = self.peers.get(&peer);
        let full = if of_peer.map_or(0, Ranks::len) >= self.limits.per_peer {
            Some((Limit::Peer, of_peer.and_then(|ranks| ranks.idlest(self.limits.per_peer))))
        } else if self.all.len() >= self.limits.connections {
            Some((Limit::Total, self.all.idlest(self.limits.connections)))
        } else {
            None
        };
        let evicted = match full {
            None => None,
            Some((limit, idlest)) => match idlest.and_then(|id| self.evict(id)) {
                Some(handle) => Some((handle, limit)),
                None => return Admission::Refused(limit),
            },
        };
        let id = self.next;
        self.next += 1;
        let rank = Rank { stage: Stage::Fresh, since: now };
        self.entries.insert(id, Entry { peer, rank, in_flight: 0, arriving: 0, handle: Some(handle) });
        self.all.insert(id, rank);
        self.peers.entry(peer).or_default().insert(id, rank);
        Admission::Admitted(id, evicted)
    }

    /// Evicts the idlest of all, if there is one.
    pub(super) fn evict_idlest(&mut self) -> Option<H> {
        self.all.idlest(self.limits.connections).and_then(|id| self.evict(id))
    }

    /// The headers of a request have arrived.
    pub(super) fn begin(&mut self, id: ConnectionId, now: Instant) {
        self.change(id, now, |entry| {
            entry.in_flight += 1;
            entry.arriving += 1;
        });
    }

    /// The body of a request has arrived.
    pub(super) fn received(&mut self, id: ConnectionId, now: Instant) {
        self.change(id, now, |entry| entry.arriving = entry.arriving.saturating_sub(1));
    }

    /// A request, whose body has arrived or is no longer read, has its response.
    pub(super) fn end(&mut self, id: ConnectionId, now: Instant) {
        self.change(id, now, |entry| entry.in_flight = entry.in_flight.saturating_sub(1));
    }

    /// The connection has ended.
    pub(super) fn close(&mut self, id: ConnectionId) {
        self.discount(id);
        self.entries.remove(&id);
    }

    /// What the connection is doing, and since when.
    pub(super) fn rank(&self, id: ConnectionId) -> Option<Rank> {
        self.entries.get(&id).map(|entry| entry.rank)
    }

    fn evict(&mut self, id: ConnectionId) -> Option<H> {
        self.discount(id);
        self.entries.get_mut(&id)?.handle.take()
    }

    /// Removes the connection from the ranks, unless it was evicted.
    fn discount(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get(&id).filter(|entry| entry.handle.is_some()) else { return };
        self.all.remove(id, entry.rank);
        if let Some(ranks) = self.peers.get_mut(&entry.peer) {
            ranks.remove(id, entry.rank);
            if ranks.len() == 0 {
                self.peers.remove(&entry.peer);
            }
        }
    }

    fn change(&mut self, id: ConnectionId, now: Instant, change: impl FnOnce(&mut Entry<H>)) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        change(entry);
        let stage = match (entry.in_flight, entry.arriving) {
            (0, _) => Stage::Idle,
            (all, arriving) if arriving >= all => Stage::Uploading,
            _ => Stage::Busy,
        };
        if stage == entry.rank.stage {
            return;
        }
        let (old, new) = (entry.rank, Rank { stage, since: now });
        entry.rank = new;
        if entry.handle.is_some() {
            let peer = self.peers.entry(entry.peer).or_default();
            for ranks in [&mut self.all, peer] {
                ranks.remove(id, old);
                ranks.insert(id, new);
            }
        }
    }
}

#[cfg(test)]
mod tests;
