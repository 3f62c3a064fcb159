//! The scopes in which the sender of a body needs a right: one review each, however many alerts there are.

use std::collections::HashMap;

use onceway_signal::{Payload, State};

use crate::auth::AccessScope;

/// Numbers distinct scopes.
#[derive(Default)]
pub(super) struct AccessScopes {
    indices: HashMap<AccessScope, usize>,
    in_order: Vec<AccessScope>,
}

impl AccessScopes {
    /// The index of the scope of these entries; `None` if all are ignored. They may have several: an incident of an event
    /// about a Node of another API group, say. Of those the whole cluster counts.
    pub(super) fn of_entries(&mut self, payload: &Payload<'_>, entries: &[usize]) -> Option<usize> {
        let signals = entries.iter().filter_map(|&index| payload.entries().get(index)?.signal.as_ref().ok());
        let mut scopes = signals.filter(|signal| signal.state != State::Ignored).map(AccessScope::of);
        let first = scopes.next()?;
        let differs = scopes.any(|scope| scope != first);
        Some(self.index(if differs { AccessScope::Cluster } else { first }))
    }

    /// The scopes, by their indices.
    pub(super) fn into_list(self) -> Vec<AccessScope> {
        self.in_order
    }

    fn index(&mut self, scope: AccessScope) -> usize {
        let next = self.in_order.len();
        *self.indices.entry(scope).or_insert_with_key(|scope| {
            self.in_order.push(scope.clone());
            next
        })
    }
}
