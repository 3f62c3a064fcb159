//! The atomic events that lead from one state to the next.

use std::sync::Arc;

use crate::replica::Pace;

/// One atomic event. Replicas and late calls are identified by their index, RRs by their name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A signal reaches the replica.
    Submit(usize),
    /// A signal reaches the replica, which takes the incident for a new one, rightly or not.
    SubmitNew(usize),
    /// The replica's call in flight is executed and its result delivered. Taking this later delays and reorders calls.
    Execute(usize, Pace),
    /// The replica's search returns this active RR; or none, since the index lags.
    Find(usize, Option<Arc<str>>),
    /// The replica's read finds no RR, and the replica knows that one was created under the claim's version.
    FindGone(usize),
    /// The same of the garbage collection.
    GcFindsGone,
    /// The replica's wait elapses.
    Elapse(usize),
    /// The response to the replica's call in flight is lost; the call may be executed at any later time, or never.
    LoseResponse(usize),
    /// A late call is executed; no caller reads its result.
    ExecuteLate(usize),
    /// The deadline passes; the batch is answered 503.
    Deadline(usize),
    /// The process is killed and restarted.
    Crash(usize),
    /// The RR reaches a terminal phase.
    Terminate(Arc<str>),
    /// A user or controller deletes the RR, whatever its phase.
    Delete(Arc<str>),
    /// A user or controller deletes the RR, which is terminal.
    DeleteTerminal(Arc<str>),
    /// Another controller writes to the RR's status.
    ForeignWrite(Arc<str>),
    /// Somebody else creates an RR of the fingerprint.
    ForeignRr,
    /// A garbage collection of the RR begins.
    StartRrGc(Arc<str>),
    /// A garbage collection of the claim begins; `true` if the claim's version has been unchanged long enough.
    StartClaimGc(bool),
    /// The garbage collection's call in flight is executed and its result delivered.
    GcStep,
}
