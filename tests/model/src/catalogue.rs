//! The explorations: the claim protocol within several bounds, and the protocols that fail.

use crate::bounds::Bounds;
use crate::property::{EXACT, ONE_COUNTED, ONE_RR};
use crate::protocol::{Flaw, Names, Protocol, Reads, Rule};

/// An exploration of the claim protocol.
#[derive(Clone, Debug)]
pub struct Run {
    /// The events in it.
    pub name: &'static str,
    /// How often each event may happen.
    pub bounds: Bounds,
    /// The expected number of states, if recorded. A different number reveals a change of the protocol or of the model.
    pub states: Option<usize>,
}

/// A protocol that fails.
#[derive(Clone, Debug)]
pub struct Failing {
    /// Its name in the docs.
    pub name: &'static str,
    /// The argument for it.
    pub idea: &'static str,
    /// Bounds within which it fails.
    pub bounds: Bounds,
    /// The property that it violates.
    pub violates: &'static str,
}

/// Runs that take minutes in total.
#[must_use]
pub fn quick() -> Vec<Run> {
    let two = || Bounds { signals: 2, ..Bounds::two_replicas() };
    let three = || Bounds { signals: 3, ..Bounds::three_replicas() };
    vec![
        Run {
            name: "two replicas: lost response, crash, terminal RR, deletion",
            bounds: Bounds { lost_responses: 1, crashes: 1, terminations: 1, deletions: 1, ..two() },
            states: Some(4_166_474),
        },
        Run {
            name: "two replicas: deadline, status write by another, terminal RR, deletion",
            bounds: Bounds { deadlines: 1, terminations: 1, deletions: 1, foreign_writes: 1, ..two() },
            states: Some(778_219),
        },
        Run {
            name: "two replicas: RR of another, terminal RR, deletion",
            bounds: Bounds { terminations: 1, deletions: 1, foreign_rrs: 1, ..two() },
            states: Some(309_139),
        },
        Run {
            name: "two replicas: RR GC, lost response, crash, deletion",
            bounds: Bounds { lost_responses: 1, crashes: 1, deletions: 1, rr_gcs: 1, ..two() },
            states: Some(1_959_560),
        },
        Run {
            name: "two replicas: claim GC, terminal RR, deletion",
            bounds: Bounds { terminations: 1, deletions: 1, claim_gcs: 1, ..two() },
            states: Some(1_293_313),
        },
        Run {
            name: "two replicas: claim GC, lost response, deletion",
            bounds: Bounds { lost_responses: 1, deletions: 1, claim_gcs: 1, ..two() },
            states: Some(1_070_181),
        },
        Run {
            name: "two replicas: claim GC, deadline, deletion",
            bounds: Bounds { deadlines: 1, deletions: 1, claim_gcs: 1, ..two() },
            states: Some(191_438),
        },
        Run {
            name: "two replicas: claim GC, RR of another, deletion",
            bounds: Bounds { foreign_rrs: 1, deletions: 1, claim_gcs: 1, ..two() },
            states: Some(191_555),
        },
        Run {
            name: "two replicas: four signals, lost response, terminal RR",
            bounds: Bounds { signals: 4, lost_responses: 1, terminations: 1, ..two() },
            states: Some(564_981),
        },
        Run {
            name: "two replicas: two lost responses, crash, terminal RR",
            bounds: Bounds { lost_responses: 2, crashes: 1, terminations: 1, ..two() },
            states: Some(1_070_775),
        },
        Run {
            name: "three replicas: lost response, crash",
            bounds: Bounds { lost_responses: 1, crashes: 1, ..three() },
            states: Some(1_261_585),
        },
        Run { name: "three replicas: deletion", bounds: Bounds { deletions: 1, ..three() }, states: Some(1_195_637) },
    ]
}

/// Runs that take an hour in total.
#[must_use]
pub fn deep() -> Vec<Run> {
    let two = || Bounds { signals: 2, ..Bounds::two_replicas() };
    let three = || Bounds { signals: 3, ..Bounds::three_replicas() };
    let mut runs = quick();
    runs.extend([
        Run {
            name: "three replicas: lost response, crash, terminal RR",
            bounds: Bounds { lost_responses: 1, crashes: 1, terminations: 1, ..three() },
            states: None,
        },
        Run {
            name: "three replicas: lost response, deletion",
            bounds: Bounds { lost_responses: 1, deletions: 1, ..three() },
            states: None,
        },
        Run {
            name: "three replicas: crash, terminal RR, deletion of a terminal RR",
            bounds: Bounds { crashes: 1, terminations: 1, terminal_deletions: 1, ..three() },
            states: None,
        },
        Run {
            name: "three replicas: RR of another, terminal RR, deletion of a terminal RR",
            bounds: Bounds { terminations: 1, terminal_deletions: 1, foreign_rrs: 1, ..three() },
            states: None,
        },
        Run {
            name: "three replicas: deadline, status write by another, terminal RR",
            bounds: Bounds { deadlines: 1, foreign_writes: 1, terminations: 1, ..three() },
            states: None,
        },
        Run {
            name: "two replicas: RR of another, lost response, terminal RR, deletion",
            bounds: Bounds { lost_responses: 1, terminations: 1, deletions: 1, foreign_rrs: 1, ..two() },
            states: Some(3_659_548),
        },
        Run {
            name: "two replicas: claim GC, RR GC, crash, deletion",
            bounds: Bounds { crashes: 1, deletions: 1, rr_gcs: 1, claim_gcs: 1, ..two() },
            states: None,
        },
    ]);
    runs
}

/// Common designs, and the claim protocol with one part simplified.
#[must_use]
pub fn failing() -> Vec<Failing> {
    let two = |protocol| Bounds { protocol, signals: 2, ..Bounds::two_replicas() };
    let flawed = |flaw| two(Protocol::Flawed(flaw));
    vec![
        Failing {
            name: "check-then-create-seconds",
            idea: "look in the cache; a name with seconds makes the second create fail",
            bounds: two(Protocol::CheckThenCreate(Names::Seconds, Reads::Cached)),
            violates: ONE_RR,
        },
        Failing {
            name: "check-then-create-nanoseconds",
            idea: "a name with nanoseconds, so that no two incidents collide",
            bounds: two(Protocol::CheckThenCreate(Names::Nanoseconds, Reads::Cached)),
            violates: ONE_RR,
        },
        Failing {
            name: "uncached-reads-only",
            idea: "the cache lags, so read from the API server",
            bounds: two(Protocol::CheckThenCreate(Names::Seconds, Reads::Uncached)),
            violates: ONE_RR,
        },
        Failing {
            name: "expiring-lease",
            idea: "check and create while holding a Lease; take it over once it has expired by the local clock",
            bounds: two(Protocol::Locked(Rule::Expires)),
            violates: ONE_RR,
        },
        Failing {
            name: "reentrant-lease",
            idea: "the Lease names this pod as its holder, so proceed",
            bounds: Bounds { one_process: true, ..two(Protocol::Locked(Rule::Reentrant)) },
            violates: ONE_RR,
        },
        Failing {
            name: "blind-release",
            idea: "release the Lease by deleting it; retry if there is no response",
            bounds: Bounds {
                signals: 3,
                lost_responses: 1,
                terminations: 1,
                ..two(Protocol::Locked(Rule::ReleasedBlindly))
            },
            violates: ONE_RR,
        },
        Failing {
            name: "any-error-is-free",
            idea: "the read failed, so there is none",
            bounds: Bounds { lost_responses: 1, ..flawed(Flaw::AnyErrorIsFree) },
            violates: ONE_COUNTED,
        },
        Failing {
            name: "slow-create-unfenced",
            idea: "the create succeeded, so the RR is this incident's",
            bounds: Bounds { signals: 3, deletions: 1, ..flawed(Flaw::SlowCreateUnfenced) },
            violates: ONE_COUNTED,
        },
        Failing {
            name: "help-without-writing",
            idea: "the holder is gone, and its RR has the same name whichever replica creates it, so create it",
            bounds: Bounds { deletions: 1, ..flawed(Flaw::HelpWithoutWriting) },
            violates: ONE_COUNTED,
        },
        Failing {
            name: "reread-as-fence",
            idea: "read the claim again before counting; if its version is unchanged, count",
            bounds: Bounds { signals: 3, deletions: 1, ..flawed(Flaw::RereadAsFence) },
            violates: ONE_COUNTED,
        },
        Failing {
            name: "unknown-count-added-again",
            idea: "no response: read the RR and add again",
            bounds: Bounds { signals: 1, lost_responses: 1, ..flawed(Flaw::UnknownCountAddedAgain) },
            violates: EXACT,
        },
        Failing {
            name: "unknown-count-trusts-the-number",
            idea: "no response, but the count is high enough: it was counted",
            bounds: Bounds { lost_responses: 1, ..flawed(Flaw::UnknownCountTrustsTheNumber) },
            violates: EXACT,
        },
        Failing {
            name: "batch-grows-while-unresolved",
            idea: "while the write is retried, add the signals that arrived since",
            bounds: Bounds { lost_responses: 1, ..flawed(Flaw::BatchGrowsWhileUnresolved) },
            violates: EXACT,
        },
        Failing {
            name: "open-claim-collected",
            idea: "the claim's RR does not exist, so the claim is not needed",
            bounds: Bounds { claim_gcs: 1, ..flawed(Flaw::OpenClaimCollected) },
            violates: ONE_COUNTED,
        },
        Failing {
            name: "existing-claim-is-mine",
            idea: "the claim is created without a read before it; if it exists already, an earlier try of mine created it",
            bounds: flawed(Flaw::ExistsIsMine),
            violates: ONE_RR,
        },
        Failing {
            name: "missing-is-deleted",
            idea: "nobody writes into the claim that its RR was created, so an RR that is missing was deleted",
            bounds: flawed(Flaw::MissingIsDeleted),
            violates: ONE_RR,
        },
    ]
}
