//! The vocabulary between the protocol and whoever executes it: calls out, answers in.

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
    /// not bump the version of an update that changes nothing, and then it fences nothing.
    UpdateClaim {
        /// The version that the update rests on.
        version: Arc<str>,
        /// The new content.
        fields: ClaimFields,
    },
    /// Find an active RR of this fingerprint, whoever made it: one that the index knows and a GET confirms, or, while the
    /// index is not in sync, one of an uncached LIST. The index is late by nature: that it knows of none means little.
    FindRr {
        /// The RR that the claim names, which was just seen to be over: however late the index is, it is not looked at again.
        except: Option<Arc<str>>,
    },
    /// GET the RR of this name.
    GetRr {
        /// `metadata.name`.
        name: Arc<str>,
    },
    /// CREATE the RR of this name, with `onceway.io/creator` set to this process's identity.
    CreateRr {
        /// `metadata.name`.
        name: Arc<str>,
    },
    /// Write the RR's `status.deduplication` if the RR still has the version of `rr`.
    Count {
        /// The RR as last seen.
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

/// What came of a [`ApiCall`]. Only 2xx, 404 and 409 say anything definite.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ApiResult {
    /// 2xx of a call about the claim: the claim as it now is.
    Claim(Claim),
    /// 2xx of a call about an RR: the RR as it now is.
    Rr(Rr),
    /// 2xx of a delete.
    Deleted,
    /// 404; of [`ApiCall::FindRr`]: none is known.
    Missing,
    /// 409: it exists already, or its version has moved on.
    Conflict,
    /// Anything else: refused, failed, timed out, cut. The call may have happened, or may yet happen at any time.
    Unknown,
    /// A [`Step::Wait`] is over.
    Elapsed,
}

/// The time at which the machine is asked. Wall clocks make names and judge blocks; only the monotonic clock measures.
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

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Execute the call and resume with its answer.
    Call(ApiCall),
    /// Wait this many milliseconds and resume with [`ApiResult::Elapsed`].
    Wait(u64),
    /// The commit is over.
    Done(Done),
}

/// The end of a commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Done {
    /// What became of the batch.
    pub outcome: CommitOutcome,
    /// A call to make off the request's path, whose answer nobody needs: it spares others a wait or a takeover.
    pub aftermath: Option<ApiCall>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommitOutcome {
    /// Every signal of the batch is counted in this RR, durably.
    Counted {
        /// The RR after the write; what the next commit may start from.
        rr: Rr,
        /// Whether this process created the RR and has not told anybody yet: the batch is answered 201.
        created: bool,
    },
    /// A write may or may not have counted the batch. It must be neither acknowledged nor added again.
    InDoubt,
}
