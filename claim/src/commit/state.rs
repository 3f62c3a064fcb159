//! What a commit is waiting for.

use crate::record::{Claim, Rr};

/// The claim as this commit last read or wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SeenClaim {
    pub(super) claim: Claim,
    /// When this commit wrote the claim (monotonic milliseconds, time of sending): a create is prompt relative to it.
    /// `None` if this commit has only read the claim.
    pub(super) written_ms: Option<u64>,
}

/// The call (or wait) in flight, and the data that its result is evaluated with.
///
/// An [`Unknown`](crate::ApiResult::Unknown) result repeats a read, and a write that is safe to repeat; the variants
/// say where it does something else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    /// GET of the claim, which alone decides which RR name is current.
    /// Found: [`Check`](Self::Check). Missing: [`Find`](Self::Find).
    ReadClaim,
    /// The search for an active RR that somebody else created, before a new name is used. `seen` is the claim, whose RR
    /// is terminal, gone or of another fingerprint; `None` if there is no claim, or probably none.
    /// Found: [`AdoptRr`](Self::AdoptRr). None: [`CreateClaim`](Self::CreateClaim) or
    /// [`AcquireClaim`](Self::AcquireClaim) with a new name.
    Find { seen: Option<SeenClaim> },
    /// CREATE of the claim by this process, for the first incident of the fingerprint.
    /// Created: [`CreateRr`](Self::CreateRr). Anything else: [`ReadClaim`](Self::ReadClaim).
    CreateClaim { sent_ms: u64 },
    /// Update of the claim that makes this process its holder: with a new name, or with the same name to finish an open
    /// claim of another holder.
    /// Written: [`CreateRr`](Self::CreateRr). Anything else: [`ReadClaim`](Self::ReadClaim).
    AcquireClaim { sent_ms: u64 },
    /// Create or update of the claim that makes it name an RR that exists already.
    /// Written: [`Check`](Self::Check). Anything else: [`ReadClaim`](Self::ReadClaim).
    AdoptRr { sent_ms: u64 },
    /// GET of the RR that the claim names; `polls` waits for the claim's holder precede it.
    /// Active with count 0: [`Fence`](Self::Fence). Takes signals otherwise: [`Count`](Self::Count).
    /// Terminal, of another fingerprint, or missing after it existed (the claim or this process knows): [`Find`](Self::Find).
    /// Missing under an open claim: [`AwaitHolder`](Self::AwaitHolder), then [`AcquireClaim`](Self::AcquireClaim).
    Check { seen: SeenClaim, polls: u16 },
    /// A pause in which another holder of an open claim may create its RR. Elapsed: [`Check`](Self::Check).
    AwaitHolder { seen: SeenClaim, polls: u16 },
    /// CREATE of the RR that the claim names, under a claim version that this commit wrote; `again` if it is a
    /// repetition.
    /// Created promptly by the first try: [`Count`](Self::Count). Created otherwise: [`Fence`](Self::Fence).
    /// Exists: [`Check`](Self::Check).
    CreateRr { seen: SeenClaim, again: bool },
    /// Update that confirms the claim at the version under which `rr` was created or read, before the first count in
    /// `rr`.
    /// Written: [`Count`](Self::Count). Anything else: [`FenceLost`](Self::FenceLost) if this process created `rr`,
    /// else [`ReadClaim`](Self::ReadClaim).
    Fence { seen: SeenClaim, rr: Rr },
    /// GET of the claim after a failed fence: is `rr`, which this process created, still the RR of the claim?
    /// Same name: [`Check`](Self::Check). Another name, or no claim: [`Discard`](Self::Discard).
    FenceLost { rr: Rr },
    /// DELETE of `rr`, which this process created too late: the claim has moved on and nothing was counted in it.
    /// Any definite result: [`ReadClaim`](Self::ReadClaim).
    Discard { rr: Rr },
    /// Write of the count, by compare-and-swap on `rr`.
    /// Written: [`Finished`](Self::Finished). Conflict: [`Check`](Self::Check) if this commit wrote the claim, else
    /// [`ReadClaim`](Self::ReadClaim). Missing: [`ReadClaim`](Self::ReadClaim). Unknown:
    /// [`ResolveRead`](Self::ResolveRead).
    Count { seen: Option<SeenClaim>, rr: Rr },
    /// GET of the RR after a count with an unknown outcome; `rr` is the RR before that count.
    /// Unchanged: [`ResolveWrite`](Self::ResolveWrite). Changed, count below the target: the write did not and cannot
    /// happen, so [`ReadClaim`](Self::ReadClaim). Anything else: [`Finished`](Self::Finished) as unresolved.
    ResolveRead { seen: Option<SeenClaim>, rr: Rr },
    /// The identical count write again; at most one of the two can succeed.
    /// Written: [`Finished`](Self::Finished). Anything else: [`ResolveRead`](Self::ResolveRead).
    ResolveWrite { seen: Option<SeenClaim>, rr: Rr },
    /// Nothing is in flight. Any further result ends as unresolved.
    Finished,
}
