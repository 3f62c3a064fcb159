//! What may happen next.

use std::sync::Arc;

use crate::replica::Pace;

/// One atomic event. Replicas are named by their index, late calls by their place, RRs by their name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A signal reaches the replica.
    Submit(usize),
    /// The call under way is executed and answered. Requests are delayed and reordered by taking this later.
    ApiResult(usize, Pace),
    /// The replica's search finds this active RR; or none, for the index is late.
    Find(usize, Option<Arc<str>>),
    /// The replica's wait is over.
    Elapse(usize),
    /// The caller is told nothing; the call may be executed at any later time, or never.
    Lose(usize),
    /// A late call is executed; nobody reads its answer.
    Execute(usize),
    /// The deadline passes; the batch is answered 503.
    GiveUp(usize),
    /// The process dies and starts anew.
    Crash(usize),
    /// The RR reaches a terminal phase.
    End(Arc<str>),
    /// The RR is deleted by somebody.
    Delete(Arc<str>),
    /// The RR, which has ended, is deleted by somebody.
    Bury(Arc<str>),
    /// Another controller writes to the RR's status.
    Touch(Arc<str>),
    /// Somebody else creates an RR of the fingerprint.
    Intrude,
    /// Somebody begins to reap the RR.
    RrGc(Arc<str>),
    /// Somebody begins to sweep the claim, which he has, or has not, seen unchanged for long.
    ClaimGc(bool),
    /// The reaper's or sweeper's call is executed and answered.
    GcStep,
}
