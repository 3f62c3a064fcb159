//! Which states count as equal: those that differ only in the names of versions, uids, identities and signals, and in
//! which of several replicas with the same clock does what.

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
            if order.iter().enumerate().all(|(position, index)| self.clock(position) == self.clock(*index)) {
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
        self.gc.hash(&mut hasher);
        self.hash_late(&mut hasher);
        let rest = self.ledger.entries().iter().enumerate().filter(|(signal, _)| !hasher.has_signal(*signal));
        let mut rest: Vec<Entry> = rest.map(|(_, entry)| *entry).collect();
        rest.sort_unstable();
        rest.hash(&mut hasher);
        self.remaining.hash(&mut hasher);
        hasher.finish()
    }

    fn hash_replica(&self, replica: &Replica, hasher: &mut Renaming) {
        replica.identity().hash(hasher);
        replica.known.hash(hasher);
        (replica.clock_s, replica.batch.is_some(), replica.deleted_since_claim).hash(hasher);
        // Of which RR a deletion would be noted.
        if self.remaining.deletions > 0 || self.remaining.terminal_deletions > 0 {
            replica.claimed.hash(hasher);
        }
        if let Some(batch) = &replica.batch {
            batch.machine.hash(hasher);
            batch.step.hash(hasher);
            // What it began with matters only to the batch after one that a deadline ends.
            if self.remaining.deadlines > 0 {
                batch.known.hash(hasher);
            }
            self.hash_signals(&batch.signals, hasher);
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

    /// Late calls have no order: they are hashed in the order of the hash of each one alone.
    fn hash_late(&self, hasher: &mut Renaming) {
        let alone = |index: &usize| {
            let mut hasher = hasher.clone();
            self.hash_late_call(*index, &mut hasher);
            hasher.finish()
        };
        let mut indices: Vec<usize> = (0..self.late.len()).collect();
        indices.sort_by_cached_key(alone);
        for index in indices {
            self.hash_late_call(index, hasher);
        }
    }

    fn hash_late_call(&self, index: usize, hasher: &mut Renaming) {
        let late = &self.late[index];
        late.author.hash(hasher);
        late.call.hash(hasher);
        self.hash_signals(&late.signals, hasher);
    }
}

/// The next permutation in lexicographic order. Returns whether there is one.
fn next_order(order: &mut [usize]) -> bool {
    let Some(pivot) = order.windows(2).rposition(|pair| pair[0] < pair[1]) else { return false };
    let Some(successor) = order.iter().rposition(|index| *index > order[pivot]) else { return false };
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

    /// Explores all states, distinguished by every name. Returns their number, and their number if names are ignored.
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
    fn exploring_one_of_several_states_that_differ_only_in_names_misses_none() {
        for bounds in [
            Bounds { signals: 2, deletions: 1, ..Bounds::two_replicas() },
            Bounds { signals: 2, lost_responses: 1, clocks_s: vec![100, 100], ..Bounds::default() },
            Bounds { signals: 1, lost_responses: 1, crashes: 1, terminations: 1, ..Bounds::two_replicas() },
        ] {
            let (by_name, merged) = explore_by_name(&bounds);
            assert_eq!(explore(&bounds, 1, |_| {}).states, merged, "{bounds}");
            assert!(by_name > merged, "{bounds}: {by_name} states by name");
            println!("{bounds}: {by_name} states by name, {merged} to explore");
        }
    }
}
