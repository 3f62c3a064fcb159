//! Progress: whether a replica finishes without the others.

use std::sync::Arc;

use onceway_claim::ApiResult;

use super::World;
use crate::ledger::Ledger;
use crate::replica::Pace;

/// From any state one replica alone must finish within this many calls.
pub const ALONE_CALLS: usize = 16;

impl World {
    /// Whether each replica, running alone from here on, finishes its batch (or a new one).
    pub(crate) fn each_finishes_alone(&self) -> bool {
        (0..self.replicas.len()).all(|index| self.finishes_alone(index))
    }

    fn finishes_alone(&self, index: usize) -> bool {
        let mut server = self.server.clone();
        let mut replica = self.replicas[index].clone();
        if replica.batch.is_none() {
            replica.submit(Ledger::default().enter(), false);
        }
        for _ in 0..ALONE_CALLS {
            if replica.waits() {
                replica.resume(ApiResult::Elapsed, Pace::Prompt);
            }
            let Some(call) = replica.call().cloned() else { return false };
            let result = server.execute(&Arc::clone(replica.identity()), &call);
            let pace = replica.paces()[0];
            if replica.resume(result, pace).is_some() {
                return true;
            }
        }
        false
    }
}
