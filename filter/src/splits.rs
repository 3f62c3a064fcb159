//! Which splits begin. A split that cannot end before its deadline is rejected before anything of it is sent: the replicas would
//! count a part of it and the sender would send all of it again, so that under overload nothing would ever be acknowledged.
//!
//! A VM predicts the end of its splits from what it sees itself: how many partitions each has left, and how many are acknowledged
//! in a second. The proxy serves the splits of a VM at the same time and alike, so until a split of `n` partitions has ended,
//! each other one has had `min(n, what it has left)` partitions served. Work of other workers and Envoys shows in the rate.
//!
//! | begins | |
//! |---|---|
//! | the only split | always: none is rejected permanently |
//! | any other | if it ends within [`SHARE_TO_BEGIN`] of its time, and those that it delays within [`SHARE_TO_END`] of their time left |

use std::cell::RefCell;
use std::rc::Rc;

use onceway_signal::retry_after::retry_after_s;

/// The rate before it is known, per millisecond: what a small cluster takes.
const UNMEASURED_PER_MS: f64 = 0.1;

/// The share of its time within which the end of a split must be predicted for it to begin. A part may have to wait for two counts of its
/// incident, and a replica refuses what it sees no time for: one refused part of many has the whole webhook sent again. So no more
/// begins than keeps the API server busy for this long.
const SHARE_TO_BEGIN: f64 = 0.2;

/// The same of the time that a split in flight has left. It must not be made late by others, nor by single incidents, which the filter does
/// not see.
const SHARE_TO_END: f64 = 0.6;

/// How long partitions are counted for one measurement of the rate, in milliseconds.
const WINDOW_MS: u64 = 500;

/// Splits of a VM that are in flight at once; more are rejected.
const MAX_SPLITS: usize = 512;

/// The splits of one VM that are in flight.
#[derive(Debug, Default)]
pub(crate) struct Splits {
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    in_flight: Vec<InFlight>,
    next_id: u64,
    rate: Rate,
}

#[derive(Debug)]
struct InFlight {
    id: u64,
    left: u32,
    deadline_ms: u64,
}

/// Acknowledged partitions per millisecond, while a split is in flight.
#[derive(Debug)]
struct Rate {
    per_ms: f64,
    window_began_ms: u64,
    acknowledged: u32,
}

/// The place of a split among those in flight. Given up when dropped, with its request.
#[derive(Debug)]
pub(crate) struct Place {
    splits: Rc<Splits>,
    id: u64,
}

/// A split that does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// When it might begin, in seconds.
    pub(crate) retry_after_s: u32,
}

impl Splits {
    /// A place for a split of this many partitions, which has until `deadline_ms` of the clock that shows `now_ms`.
    pub(crate) fn begin(self: &Rc<Splits>, partitions: u32, now_ms: u64, deadline_ms: u64) -> Result<Place, Refused> {
        let mut state = self.state.borrow_mut();
        if !state.has_time_for(partitions, now_ms, deadline_ms) {
            return Err(Refused { retry_after_s: state.retry_after_s(now_ms) });
        }
        if state.in_flight.is_empty() {
            // No rate can be seen while nothing is in flight.
            state.rate.begin_window(now_ms);
        }
        let id = state.next_id;
        state.next_id = id.wrapping_add(1);
        state.in_flight.push(InFlight { id, left: partitions, deadline_ms });
        Ok(Place { splits: Rc::clone(self), id })
    }
}

impl State {
    fn has_time_for(&self, partitions: u32, now_ms: u64, deadline_ms: u64) -> bool {
        if self.in_flight.is_empty() {
            return true;
        }
        let in_flight = || self.in_flight.iter().map(|split| (split.left, split.deadline_ms, SHARE_TO_END));
        let all = || in_flight().chain([(partitions, deadline_ms, SHARE_TO_BEGIN)]);
        let ends_in_time = |(left, deadline_ms, share): (u32, u64, f64)| {
            let until_its_end: u64 = all().map(|(other, ..)| u64::from(other.min(left))).sum();
            until_its_end as f64 <= self.rate.per_ms * share * deadline_ms.saturating_sub(now_ms) as f64
        };
        // One that is late already is not delayed by what may still be refused: it ends at its deadline anyway.
        let is_late = |(_, deadline_ms, _): &(u32, u64, f64)| *deadline_ms <= now_ms;
        self.in_flight.len() < MAX_SPLITS && all().filter(|split| !is_late(split)).all(ends_in_time)
    }

    /// About when half of what is in flight has been served.
    fn retry_after_s(&self, now_ms: u64) -> u32 {
        let left: u64 = self.in_flight.iter().map(|split| u64::from(split.left)).sum();
        let ms = left as f64 / self.rate.per_ms / 2.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast saturates, and the maximum is small"
        )]
        retry_after_s(ms as u64, now_ms)
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self { per_ms: UNMEASURED_PER_MS, window_began_ms: 0, acknowledged: 0 }
    }
}

impl Rate {
    fn begin_window(&mut self, now_ms: u64) {
        self.window_began_ms = now_ms;
        self.acknowledged = 0;
    }

    /// A partition has ended. One that failed tells how long it took, and not how many can be served.
    fn ended(&mut self, acknowledged: bool, now_ms: u64) {
        self.acknowledged = self.acknowledged.saturating_add(u32::from(acknowledged));
        let elapsed = now_ms.saturating_sub(self.window_began_ms);
        if elapsed < WINDOW_MS {
            return;
        }
        let seen = f64::from(self.acknowledged) / elapsed as f64;
        self.per_ms = f64::midpoint(self.per_ms, seen);
        self.begin_window(now_ms);
    }
}

impl Place {
    /// A partition of the split has ended.
    pub(crate) fn ended(&self, acknowledged: bool, now_ms: u64) {
        let mut state = self.splits.state.borrow_mut();
        if let Some(split) = state.in_flight.iter_mut().find(|split| split.id == self.id) {
            split.left = split.left.saturating_sub(1);
        }
        state.rate.ended(acknowledged, now_ms);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.splits.state.borrow_mut().in_flight.retain(|split| split.id != self.id);
    }
}

#[cfg(test)]
mod tests;
