//! The interface between the protocol and its executor: API calls out, results in.

use std::sync::Arc;

use crate::record::{Claim, ClaimFields, Rr};

/// One call to the API server. Every read is a quorum read (no `resourceVersion` parameter).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ApiCall {
    /// GET the claim.
    GetClaim,
    /// CREATE the claim.
    CreateClaim(ClaimFields),
    /// Update the claim if it still has this version. The write must change a byte (`renewTime`): an API server does
    /// not bump the version of an update that changes nothing, and such an update fences nothing.
    UpdateClaim {
        /// The version that the update requires.
        version: Arc<str>,
        /// The new content.
        fields: ClaimFields,
    },
    /// Find an active RR of this fingerprint, whoever created it: one that the index knows and a GET confirms, or,
    /// while the index is not in sync, one of an uncached LIST. The index lags: a miss does not prove that there is
    /// none.
    FindRr {
        /// The RR that the claim names, which a read just showed to be terminal or gone: a stale index may still list
        /// it.
        except: Option<Arc<str>>,
    },
    /// GET the RR of this name.
    GetRr {
        /// `metadata.name`.
        name: Arc<str>,
        /// The version of the claim that names it, if it is read for a claim's sake: what [`ApiResult::Gone`] is about.
        under: Option<Arc<str>>,
    },
    /// CREATE the RR of this name, with `onceway.io/creator` set to this process's identity, and `onceway.io/claim-version` to
    /// `under`.
    CreateRr {
        /// `metadata.name`.
        name: Arc<str>,
        /// The version of the claim under which it is created.
        under: Arc<str>,
    },
    /// Write the RR's `status.deduplication` if the RR still has the version of `rr`.
    Count {
        /// The RR as last seen, with the signal list that the write extends.
        rr: Rr,
        /// The new `occurrenceCount`.
        count: u32,
    },
    /// DELETE the RR with uid and version of `rr` as preconditions.
    DeleteRr {
        /// The RR as last seen.
        rr: Rr,
    },
    /// DELETE the claim with uid and version of `claim` as preconditions.
    DeleteClaim {
        /// The claim as last seen.
        claim: Claim,
    },
}

/// The result of an [`ApiCall`]. Only 2xx, 404 and 409 are definite.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ApiResult {
    /// 2xx of a call on the claim: its current state.
    Claim(Claim),
    /// 2xx of a call on an RR: its current state.
    Rr(Rr),
    /// 2xx of a delete.
    Deleted,
    /// 404; of [`ApiCall::FindRr`]: none is known.
    Missing,
    /// 404 of an [`ApiCall::GetRr`], and this process has seen an RR of this name that was created under the claim's version in
    /// the call: it was deleted. A caller that cannot tell says [`Missing`](Self::Missing), which is always safe and may cost a
    /// wait.
    Gone,
    /// 409: the object exists already, or its version has changed.
    Conflict,
    /// Anything else: refused, failed, timed out, cut. The call may have taken effect, or may do so at any later time.
    Unknown,
    /// The pause of a [`Step::Wait`] has elapsed.
    Elapsed,
}

/// The clocks at the time of a step. The wall clock makes names and evaluates blocks; only the monotonic clock
/// measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Now {
    /// Unix time in milliseconds.
    pub unix_ms: u64,
    /// A monotonic clock of this process, in milliseconds.
    pub monotonic_ms: u64,
}

impl Now {
    /// Unix time in whole seconds.
    pub(crate) const fn unix_s(self) -> u64 {
        self.unix_ms / 1000
    }
}

/// What the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Execute the call and resume with its result.
    Call(ApiCall),
    /// Wait this many milliseconds and resume with [`ApiResult::Elapsed`].
    Wait(u64),
    /// The commit has finished.
    Done(CommitOutcome),
}

/// Whether a batch is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommitOutcome {
    /// Every signal of the batch is counted in this RR, durably.
    Counted {
        /// The RR after the write; what the next commit may start from.
        rr: Rr,
        /// Whether this process created the RR and no sender has had a 201 for it yet: the batch is answered 201.
        created: bool,
    },
    /// It is unknown whether a write counted the batch. The batch must be neither acknowledged nor added again.
    Unresolved,
}
