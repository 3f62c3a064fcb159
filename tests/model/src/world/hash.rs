//! Which states are the same: those that differ only in what versions, uids, identities and signals are called, and in which
//! of several replicas with the same clock does what.

use std::hash::{Hash, Hasher};

use super::World;
use crate::ledger::Entry;
use crate::replica::Replica;
use crate::token::Renaming;

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut order: Vec<usize> = (0..self.replicas.len()).collect();
        let mut least = self.hash_in(&order);
        while next_order(&mut order) {
            if order.iter().enumerate().all(|(place, index)| self.clock(place) == self.clock(*index)) {
                least = least.min(self.hash_in(&order));
            }
        }
        state.write_u64(least);
    }
}

impl World {
    fn clock(&self, index: usize) -> u64 {
        self.replicas[index].clock_s
    }

    /// The hash with the replicas taken in this order.
    fn hash_in(&self, order: &[usize]) -> u64 {
        let mut hasher = Renaming::default();
        for index in order {
            self.hash_replica(&self.replicas[*index], &mut hasher);
        }
        self.server.hash(&mut hasher);
        self.chore.hash(&mut hasher);
        self.hash_late(&mut hasher);
        let rest = self.ledger.entries().iter().enumerate().filter(|(signal, _)| !hasher.has_signal(*signal));
        let mut rest: Vec<Entry> = rest.map(|(_, entry)| *entry).collect();
        rest.sort_unstable();
        rest.hash(&mut hasher);
        self.left.hash(&mut hasher);
        hasher.finish()
    }

    fn hash_replica(&self, replica: &Replica, hasher: &mut Renaming) {
        replica.identity().hash(hasher);
        replica.known.hash(hasher);
        (replica.clock_s, replica.work.is_some(), replica.deleted_since_claim).hash(hasher);
        if let Some(work) = &replica.work {
            work.machine.hash(hasher);
            work.step.hash(hasher);
            self.hash_signals(&work.signals, hasher);
        }
    }

    fn hash_signals(&self, signals: &[usize], hasher: &mut Renaming) {
        signals.len().hash(hasher);
        for signal in signals {
            if hasher.signal(*signal) {
                self.ledger.entry(*signal).hash(hasher);
            }
        }
    }

    /// Late calls are in no order: they are hashed in the order of what each is by itself.
    fn hash_late(&self, hasher: &mut Renaming) {
        let alone = |place: &usize| {
            let mut hasher = hasher.clone();
            self.hash_late_call(*place, &mut hasher);
            hasher.finish()
        };
        let mut places: Vec<usize> = (0..self.late.len()).collect();
        places.sort_by_cached_key(alone);
        for place in places {
            self.hash_late_call(place, hasher);
        }
    }

    fn hash_late_call(&self, place: usize, hasher: &mut Renaming) {
        let late = &self.late[place];
        late.author.hash(hasher);
        late.call.hash(hasher);
        self.hash_signals(&late.signals, hasher);
    }
}

/// The next order of these in the dictionary; whether there is one.
fn next_order(order: &mut [usize]) -> bool {
    let Some(pivot) = order.windows(2).rposition(|pair| pair[0] < pair[1]) else { return false };
    let Some(successor) = order.iter().rposition(|place| *place > order[pivot]) else { return false };
    order.swap(pivot, successor);
    order[pivot + 1..].reverse();
    true
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::collections::hash_map::DefaultHasher;
    use std::hash::{Hash, Hasher};

    use stateright::Model;

    use crate::bounds::Bounds;
    use crate::explore;
    use crate::world::World;

    fn hash(value: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        hasher.finish()
    }

    /// Explores without taking any two states for the same that are not equal to the last name. How many there are, and how
    /// many once names do not count.
    fn explore_by_name(bounds: &Bounds) -> (usize, usize) {
        let mut pending: Vec<World> = bounds.init_states();
        let (mut seen, mut merged) = (HashSet::new(), HashSet::new());
        while let Some(world) = pending.pop() {
            if !seen.insert(hash(format!("{world:?}"))) {
                continue;
            }
            merged.insert(hash(&world));
            let mut actions = Vec::new();
            bounds.actions(&world, &mut actions);
            pending.extend(actions.into_iter().filter_map(|action| bounds.next_state(&world, action)));
        }
        (seen.len(), merged.len())
    }

    #[test]
    fn exploring_one_of_several_states_that_differ_in_names_alone_misses_none() {
        for bounds in [
            Bounds { signals: 2, deletions: 1, ..Bounds::two_replicas() },
            Bounds { signals: 2, losses: 1, clocks_s: vec![100, 100], ..Bounds::default() },
            Bounds { signals: 1, losses: 1, crashes: 1, ends: 1, ..Bounds::two_replicas() },
        ] {
            let (by_name, merged) = explore_by_name(&bounds);
            assert_eq!(explore(&bounds, 1, |_| {}).states, merged, "{bounds}");
            assert!(by_name > merged, "{bounds}: {by_name} states by name");
            println!("{bounds}: {by_name} states by name, {merged} to explore");
        }
    }
}
