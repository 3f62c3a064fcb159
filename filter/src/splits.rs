//! Which splits begin. A split that cannot end before its deadline is refused before anything of it is sent: the replicas would
//! count a part of it and the sender would send all of it again, so that under overload nothing would ever be acknowledged.
//!
//! A VM predicts the end of its splits from what it sees itself: how many partitions each has left, and how many could be acknowledged
//! in a second ([`Rate`]). The proxy serves the splits of a VM at the same time and alike, so until a split of `n` partitions has ended,
//! each other one has had `min(n, what it has left)` partitions served. Work of other workers and Envoys shows in the rate while there is
//! more to do than is done.
//!
//! | begins | |
//! |---|---|
//! | the only split | always |
//! | any other | if what is served of the others until it ends takes at most [`SHARE_TO_BEGIN`] of its time, and it and those that are not lost ([`LOST`]) end within [`SHARE_TO_END`] of the time that they have left |
//!
//! The first condition leaves the size of the split itself out: of the webhooks that a VM refuses, a large one has the same chance to be
//! next as a small one.

use std::cell::RefCell;
use std::rc::Rc;

use onceway_signal::retry_after::retry_after_s;

/// The rate before it is known, per millisecond. If it is too low, a first burst is refused that there is time for; if it is too high, each VM
/// begins too much once, and the replicas refuse what they see no time for. With it, four VMs together begin what an API server that takes
/// 400 a second does in 5.4 of the nine seconds.
const UNMEASURED_PER_MS: f64 = 0.6;

/// The share of its time for which others may be served until a split ends, for it to begin. A partition may have to wait for two counts of
/// its incident, and a replica refuses what it sees no time for: one that is refused of many has the whole webhook sent again. So no more
/// begins than keeps the API server busy for this long; more would make each webhook wait longer and acknowledge none earlier.
const SHARE_TO_BEGIN: f64 = 0.1;

/// The share of the time that a split has left, within which its end must be predicted when another begins. It must not be made late by
/// others, nor by single incidents, which the filter does not see.
const SHARE_TO_END: f64 = 0.7;

/// A split that is predicted to need more than this many times the time that it has left is lost: it keeps no other from beginning. With less it might
/// end in time, since predictions are wrong by up to a factor of two.
const LOST: f64 = 2.0;

/// The rate never falls below this, per millisecond. Partitions also fail for reasons that have nothing to do with time, such as one sender's budget,
/// and the splits of others must not wait for that.
const LEAST_PER_MS: f64 = 0.02;

/// The least time for which partitions are counted for one measurement of the rate, in milliseconds. Time without a split is left out.
const WINDOW_MS: u64 = 500;

/// Splits of a VM that are in flight at once; more are refused.
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
    rest: Rest,
}

/// What is left to do of a split.
#[derive(Clone, Copy, Debug)]
struct Rest {
    partitions: u32,
    deadline_ms: u64,
}

/// Partitions per millisecond that could be counted.
///
/// It falls only if at the end of a window at least as many partitions are left, or have failed and will be sent again, as were
/// counted. Otherwise few were counted because few were sent.
#[derive(Debug)]
struct Rate {
    per_ms: f64,
    window_began_ms: u64,
    /// Partitions that were counted in this window.
    counted: u32,
    /// Partitions that failed in this window.
    failed: u32,
    /// When a partition ended last, in this window or before it.
    last_ended_ms: u64,
}

/// The place of a split among those in flight. Given up when dropped, with its request.
#[derive(Debug)]
pub(crate) struct Place {
    splits: Rc<Splits>,
    id: u64,
}

/// How a partition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Something of it was counted.
    Counted,
    /// It was rejected, or there was nothing to do: that says nothing about how many can be counted.
    Uncounted,
    /// It has to be sent again.
    Failed,
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
        let rest = Rest { partitions, deadline_ms };
        if !state.has_time_for(rest, now_ms) {
            return Err(Refused { retry_after_s: state.retry_after_s(now_ms) });
        }
        if state.in_flight.is_empty() {
            state.rate.leave_out_idle_time(now_ms);
        }
        let id = state.next_id;
        state.next_id = id.wrapping_add(1);
        state.in_flight.push(InFlight { id, rest });
        Ok(Place { splits: Rc::clone(self), id })
    }
}

impl State {
    fn has_time_for(&self, new: Rest, now_ms: u64) -> bool {
        if self.in_flight.is_empty() {
            return true;
        }
        let others = || self.in_flight.iter().map(|split| split.rest);
        let all = || others().chain([new]);
        let ends_in_time = |split: Rest| {
            let time = SHARE_TO_END * split.time_ms(now_ms);
            self.rate.can_serve(split.served_until_its_end(all()), time)
        };
        let is_lost =
            |split: &Rest| !self.rate.can_serve(split.served_until_its_end(others()), LOST * split.time_ms(now_ms));
        self.in_flight.len() < MAX_SPLITS
            && self.rate.can_serve(new.served_until_its_end(others()), SHARE_TO_BEGIN * new.time_ms(now_ms))
            && ends_in_time(new)
            && others().filter(|split| !is_lost(split)).all(ends_in_time)
    }

    /// Partitions that have not ended.
    fn left(&self) -> u64 {
        self.in_flight.iter().map(|split| u64::from(split.rest.partitions)).sum()
    }

    /// About when half of what is in flight has been served.
    fn retry_after_s(&self, now_ms: u64) -> u32 {
        let ms = self.left() as f64 / self.rate.per_ms / 2.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast saturates, and the maximum is small"
        )]
        retry_after_s(ms as u64, now_ms)
    }
}

impl Rest {
    /// How many partitions of `splits` are served until this one has ended.
    fn served_until_its_end(self, splits: impl Iterator<Item = Rest>) -> u64 {
        splits.map(|split| u64::from(split.partitions.min(self.partitions))).sum()
    }

    /// The time that it has left.
    fn time_ms(self, now_ms: u64) -> f64 {
        self.deadline_ms.saturating_sub(now_ms) as f64
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self { per_ms: UNMEASURED_PER_MS, window_began_ms: 0, counted: 0, failed: 0, last_ended_ms: 0 }
    }
}

impl Rate {
    fn can_serve(&self, partitions: u64, time_ms: f64) -> bool {
        partitions as f64 <= self.per_ms * time_ms
    }

    /// A split begins after a time without one, in which no rate could be seen.
    fn leave_out_idle_time(&mut self, now_ms: u64) {
        let idle_since = self.last_ended_ms.max(self.window_began_ms);
        self.window_began_ms = self.window_began_ms.saturating_add(now_ms.saturating_sub(idle_since));
    }

    /// A partition has ended; `left`: partitions of all splits that have not.
    fn ended(&mut self, how: Ended, left: u64, now_ms: u64) {
        match how {
            Ended::Counted => self.counted = self.counted.saturating_add(1),
            Ended::Failed => self.failed = self.failed.saturating_add(1),
            Ended::Uncounted => return,
        }
        self.last_ended_ms = now_ms;
        let elapsed = now_ms.saturating_sub(self.window_began_ms);
        if elapsed < WINDOW_MS {
            return;
        }
        let seen = f64::from(self.counted) / elapsed as f64;
        let is_busy = left.saturating_add(self.failed.into()) >= self.counted.into();
        if is_busy || seen > self.per_ms {
            self.per_ms = f64::midpoint(self.per_ms, seen).max(LEAST_PER_MS);
        }
        *self = Self { per_ms: self.per_ms, window_began_ms: now_ms, counted: 0, failed: 0, last_ended_ms: now_ms };
    }
}

impl Place {
    /// A partition of the split has ended.
    pub(crate) fn ended(&self, how: Ended, now_ms: u64) {
        let mut state = self.splits.state.borrow_mut();
        if let Some(split) = state.in_flight.iter_mut().find(|split| split.id == self.id) {
            split.rest.partitions = split.rest.partitions.saturating_sub(1);
        }
        let left = state.left();
        state.rate.ended(how, left, now_ms);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.splits.state.borrow_mut().in_flight.retain(|split| split.id != self.id);
    }
}

#[cfg(test)]
mod tests;
