use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use tokio::time::Instant;

use super::{Admission, ConnectionTable, Limit, TableLimits};
use crate::http::server::peer::Peer;
use crate::http::server::ranks::{ConnectionId, Stage};

const TICK: Duration = Duration::from_millis(1);

fn peer(n: u8) -> Peer {
    Peer::from(IpAddr::from(Ipv4Addr::new(10, 0, 0, n)))
}

/// A table on which each step is one tick later than the one before. A connection's handle is its number.
struct Rig {
    table: ConnectionTable<ConnectionId>,
    now: Instant,
    next: ConnectionId,
}

impl Rig {
    fn new(connections: usize, per_peer: usize) -> Self {
        let table = ConnectionTable::new(TableLimits { connections, per_peer });
        Self { table, now: Instant::now(), next: 0 }
    }

    fn tick(&mut self) -> Instant {
        self.now += TICK;
        self.now
    }

    /// A connection of a peer; returns who was evicted for it.
    fn admit(&mut self, of: u8) -> Result<Option<(ConnectionId, Limit)>, Limit> {
        let now = self.tick();
        match self.table.admit(peer(of), self.next, now) {
            Admission::Admitted(id, evicted) => {
                assert_eq!(id, self.next);
                self.next += 1;
                Ok(evicted)
            }
            Admission::Refused(limit) => Err(limit),
        }
    }

    fn admit_many(&mut self, of: u8, count: usize) {
        (0..count).for_each(|_| assert_eq!(self.admit(of), Ok(None)));
    }

    fn begin(&mut self, id: ConnectionId) {
        let now = self.tick();
        self.table.begin(id, now);
    }

    fn received(&mut self, id: ConnectionId) {
        let now = self.tick();
        self.table.received(id, now);
    }

    /// A whole request.
    fn request(&mut self, id: ConnectionId) {
        self.begin(id);
        self.received(id);
        let now = self.tick();
        self.table.end(id, now);
    }
}

#[test]
fn of_silent_connections_the_oldest_goes_first() {
    let mut rig = Rig::new(3, 3);
    rig.admit_many(1, 3);
    assert_eq!(rig.admit(1), Ok(Some((0, Limit::Peer))));
    assert_eq!(rig.admit(1), Ok(Some((1, Limit::Peer))));
}

#[test]
fn silent_connections_go_before_those_that_have_sent_a_request() {
    let mut rig = Rig::new(4, 4);
    rig.admit_many(1, 4);
    rig.request(0);
    rig.request(1);
    assert_eq!(rig.admit(1), Ok(Some((2, Limit::Peer))));
}

#[test]
fn of_idle_connections_the_one_without_a_request_for_longest_goes_first() {
    let mut rig = Rig::new(4, 4);
    rig.admit_many(1, 4);
    (0..4).for_each(|id| rig.request(id));
    rig.request(0);
    assert_eq!(rig.admit(1), Ok(Some((1, Limit::Peer))));
}

#[test]
fn a_newcomer_has_a_share_of_the_places_until_its_first_request() {
    let mut rig = Rig::new(8, 8);
    rig.admit_many(1, 8);
    (0..8).for_each(|id| rig.request(id));
    // Its own place was an idle one's, and so are those of the next: it is not closed for them before its first request.
    for idle in 0..3 {
        assert_eq!(rig.admit(1), Ok(Some((idle, Limit::Peer))));
    }
    assert_eq!(rig.admit(1), Ok(Some((8, Limit::Peer))), "now newcomers hold more than a quarter");
}

#[test]
fn a_peer_at_its_limit_displaces_only_its_own() {
    let mut rig = Rig::new(4, 2);
    rig.admit_many(1, 2);
    rig.admit_many(2, 2);
    assert_eq!(rig.admit(2), Ok(Some((2, Limit::Peer))));
    assert_eq!(rig.admit(3), Ok(Some((0, Limit::Total))));
}

#[test]
fn requests_in_flight_are_never_displaced() {
    let mut rig = Rig::new(2, 2);
    rig.admit_many(1, 2);
    for id in 0..2 {
        rig.begin(id);
        rig.received(id);
    }
    assert_eq!(rig.admit(1), Err(Limit::Peer));
    assert_eq!(rig.admit(2), Err(Limit::Total));
    let now = rig.tick();
    rig.table.end(1, now);
    assert_eq!(rig.admit(2), Ok(Some((1, Limit::Total))));
}

#[test]
fn a_body_that_takes_long_is_displaced_last() {
    let mut rig = Rig::new(3, 3);
    rig.admit_many(1, 3);
    rig.begin(0);
    rig.begin(1);
    rig.request(2);
    assert_eq!(rig.admit(1), Ok(Some((2, Limit::Peer))), "an idle one first");
    rig.request(3);
    rig.begin(3);
    assert_eq!(rig.admit(1), Ok(Some((0, Limit::Peer))), "then the slowest body");
    rig.begin(4);
    assert_eq!(rig.admit(1), Ok(Some((1, Limit::Peer))));
    (3..=4).for_each(|id| rig.received(id));
    rig.begin(5);
    rig.received(5);
    assert_eq!(rig.admit(1), Err(Limit::Peer), "all bodies have arrived");
}

#[test]
fn an_http_2_connection_with_one_complete_request_is_busy_whatever_else_it_receives() {
    let mut rig = Rig::new(1, 1);
    rig.admit_many(1, 1);
    rig.begin(0);
    rig.begin(0);
    assert_eq!(rig.table.rank(0).unwrap().stage, Stage::Uploading);
    rig.received(0);
    assert_eq!(rig.table.rank(0).unwrap().stage, Stage::Busy);
}

#[test]
fn a_place_is_given_back_and_an_evicted_connection_takes_none() {
    let mut rig = Rig::new(2, 2);
    rig.admit_many(1, 2);
    rig.table.close(0);
    assert_eq!(rig.admit(1), Ok(None));
    assert_eq!(rig.admit(1), Ok(Some((1, Limit::Peer))));
    // The evicted one finishes a request and ends.
    rig.request(1);
    rig.table.close(1);
    assert_eq!(rig.table.len(), 2);
    (2..4).for_each(|id| rig.table.close(id));
    assert_eq!((rig.table.len(), rig.table.peers.len(), rig.table.entries.len()), (0, 0, 0));
}

#[test]
fn a_limit_of_a_peer_above_that_of_the_socket_is_the_sockets() {
    let mut rig = Rig::new(1, 512);
    rig.admit_many(1, 1);
    assert_eq!(rig.admit(1), Ok(Some((0, Limit::Peer))));
}

#[test]
fn the_idlest_is_evicted_where_no_file_is_free() {
    let mut rig = Rig::new(9, 9);
    rig.admit_many(1, 2);
    assert_eq!([(); 3].map(|()| rig.table.evict_idlest()), [Some(0), Some(1), None]);
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Admit(u8),
    Begin(u64),
    Received(u64),
    End(u64),
    Close(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let any = || 0..40_u64;
    let one = prop_oneof![
        4 => (0..4_u8).prop_map(Move::Admit),
        3 => any().prop_map(Move::Begin),
        2 => any().prop_map(Move::Received),
        2 => any().prop_map(Move::End),
        1 => any().prop_map(Move::Close),
    ];
    vec(one, 1..200)
}

proptest! {
    #[test]
    fn limits_hold_and_only_connections_without_a_complete_request_are_evicted(
        moves in moves(), connections in 1..9_usize, per_peer in 1..9_usize,
    ) {
        let mut rig = Rig::new(connections, per_peer);
        // Who is open and counted, and the stage of each; the table keeps evicted ones until they end.
        let mut counted: HashMap<ConnectionId, u8> = HashMap::new();
        let mut evicted: HashSet<ConnectionId> = HashSet::new();
        for step in moves {
            match step {
                Move::Admit(of) => {
                    let stages: HashMap<_, _> =
                        counted.keys().map(|id| (*id, rig.table.rank(*id).unwrap().stage)).collect();
                    let of_peer = counted.values().filter(|peer| **peer == of).count();
                    match rig.admit(of) {
                        Ok(None) => prop_assert!(of_peer < per_peer.min(connections) && counted.len() < connections),
                        Ok(Some((id, limit))) => {
                            prop_assert!(stages[&id] != Stage::Busy);
                            let peer = counted.remove(&id).unwrap();
                            prop_assert!(limit != Limit::Peer || peer == of);
                            evicted.insert(id);
                        }
                        Err(limit) => {
                            let rivals = counted.iter().filter(|(_, peer)| limit == Limit::Total || **peer == of);
                            for (id, _) in rivals {
                                prop_assert_eq!(stages[id], Stage::Busy);
                            }
                            continue;
                        }
                    }
                    counted.insert(rig.next - 1, of);
                }
                Move::Begin(id) => rig.begin(id),
                Move::Received(id) => rig.received(id),
                Move::End(id) => { let now = rig.tick(); rig.table.end(id, now) }
                Move::Close(id) => {
                    rig.table.close(id);
                    counted.remove(&id);
                    evicted.remove(&id);
                }
            }
            prop_assert_eq!(rig.table.len(), counted.len());
            prop_assert!(counted.len() <= connections);
            for of in 0..4 {
                prop_assert!(counted.values().filter(|peer| **peer == of).count() <= per_peer);
            }
            prop_assert_eq!(rig.table.entries.len(), counted.len() + evicted.len());
        }
    }
}
