//! What is explored: the claim protocol within several bounds, and the protocols that fail.

use crate::bounds::Bounds;
use crate::property::{EXACT, ONE_COUNTED, ONE_RR};
use crate::protocol::{Flaw, Names, Protocol, Reads, Rule};

/// A run of the claim protocol.
#[derive(Clone, Debug)]
pub struct Run {
    /// What happens in it.
    pub name: &'static str,
    /// How much of it.
    pub bounds: Bounds,
    /// How many states there are, where it is written down: so that a change of the protocol or of the model is noticed.
    pub states: Option<usize>,
}

/// A protocol that fails.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// What it is called here.
    pub name: &'static str,
    /// What speaks for it.
    pub idea: &'static str,
    /// Bounds that are wide enough.
    pub bounds: Bounds,
    /// What breaks.
    pub broken: &'static str,
}

/// Runs of minutes all together.
#[must_use]
pub fn quick() -> Vec<Run> {
    let two = || Bounds { signals: 2, ..Bounds::two_replicas() };
    let three = || Bounds { signals: 3, ..Bounds::three_replicas() };
    vec![
        Run {
            name: "two replicas: lost answer, crash, end, deletion",
            bounds: Bounds { losses: 1, crashes: 1, ends: 1, deletions: 1, ..two() },
            states: Some(3_640_320),
        },
        Run {
            name: "two replicas: deadline, status write by another, end, deletion",
            bounds: Bounds { deadlines: 1, ends: 1, deletions: 1, touches: 1, ..two() },
            states: Some(667_553),
        },
        Run {
            name: "two replicas: RR of another, end, deletion",
            bounds: Bounds { ends: 1, deletions: 1, intrusions: 1, ..two() },
            states: Some(281_812),
        },
        Run {
            name: "two replicas: reaper, lost answer, crash, deletion",
            bounds: Bounds { losses: 1, crashes: 1, deletions: 1, reaps: 1, ..two() },
            states: Some(1_622_838),
        },
        Run {
            name: "two replicas: sweeper, end, deletion",
            bounds: Bounds { ends: 1, deletions: 1, sweeps: 1, ..two() },
            states: Some(997_029),
        },
        Run {
            name: "two replicas: four signals, lost answer, end",
            bounds: Bounds { signals: 4, losses: 1, ends: 1, ..two() },
            states: Some(544_733),
        },
        Run {
            name: "two replicas: two lost answers, crash, end",
            bounds: Bounds { losses: 2, crashes: 1, ends: 1, ..two() },
            states: Some(1_062_871),
        },
        Run {
            name: "three replicas: lost answer, crash",
            bounds: Bounds { losses: 1, crashes: 1, ..three() },
            states: Some(1_252_878),
        },
        Run { name: "three replicas: deletion", bounds: Bounds { deletions: 1, ..three() }, states: Some(991_186) },
    ]
}

/// Runs of an hour all together.
#[must_use]
pub fn deep() -> Vec<Run> {
    let two = || Bounds { signals: 2, ..Bounds::two_replicas() };
    let three = || Bounds { signals: 3, ..Bounds::three_replicas() };
    let mut runs = quick();
    runs.extend([
        Run {
            name: "three replicas: lost answer, crash, end",
            bounds: Bounds { losses: 1, crashes: 1, ends: 1, ..three() },
            states: None,
        },
        Run {
            name: "three replicas: lost answer, deletion",
            bounds: Bounds { losses: 1, deletions: 1, ..three() },
            states: None,
        },
        Run {
            name: "three replicas: crash, end, deletion after the end",
            bounds: Bounds { crashes: 1, ends: 1, burials: 1, ..three() },
            states: None,
        },
        Run {
            name: "three replicas: RR of another, end, deletion after the end",
            bounds: Bounds { ends: 1, burials: 1, intrusions: 1, ..three() },
            states: None,
        },
        Run {
            name: "three replicas: deadline, status write by another, end",
            bounds: Bounds { deadlines: 1, touches: 1, ends: 1, ..three() },
            states: None,
        },
        Run {
            name: "two replicas: RR of another, lost answer, end, deletion",
            bounds: Bounds { losses: 1, ends: 1, deletions: 1, intrusions: 1, ..two() },
            states: Some(3_342_972),
        },
        Run {
            name: "two replicas: sweeper, reaper, crash, deletion",
            bounds: Bounds { crashes: 1, deletions: 1, reaps: 1, sweeps: 1, ..two() },
            states: None,
        },
    ]);
    runs
}

/// The designs that teams argue about, and the claim protocol with one part of it made easier.
#[must_use]
pub fn wrong() -> Vec<Wrong> {
    let two = |protocol| Bounds { protocol, signals: 2, ..Bounds::two_replicas() };
    let flawed = |flaw| two(Protocol::Flawed(flaw));
    vec![
        Wrong {
            name: "check-then-create-seconds",
            idea: "look in the cache; a name of seconds makes the second create fail",
            bounds: two(Protocol::CheckThenCreate(Names::Seconds, Reads::Cached)),
            broken: ONE_RR,
        },
        Wrong {
            name: "check-then-create-nanoseconds",
            idea: "a name of nanoseconds, so that no two incidents collide",
            bounds: two(Protocol::CheckThenCreate(Names::Nanoseconds, Reads::Cached)),
            broken: ONE_RR,
        },
        Wrong {
            name: "uncached-reads-only",
            idea: "the cache was late: read from the API server itself",
            bounds: two(Protocol::CheckThenCreate(Names::Seconds, Reads::Uncached)),
            broken: ONE_RR,
        },
        Wrong {
            name: "expiring-lease",
            idea: "check and create while holding a Lease, taken over once it has expired by one's clock",
            bounds: two(Protocol::Locked(Rule::Expires)),
            broken: ONE_RR,
        },
        Wrong {
            name: "reentrant-lease",
            idea: "the Lease names this very pod as its holder, so go on",
            bounds: Bounds { one_process: true, ..two(Protocol::Locked(Rule::Reentrant)) },
            broken: ONE_RR,
        },
        Wrong {
            name: "blind-release",
            idea: "release the Lease by deleting it, and try again where no answer came",
            bounds: Bounds { signals: 3, losses: 1, ends: 1, ..two(Protocol::Locked(Rule::ReleasedBlindly)) },
            broken: ONE_RR,
        },
        Wrong {
            name: "any-error-is-free",
            idea: "the read failed, so there is none",
            bounds: Bounds { losses: 1, ..flawed(Flaw::AnyErrorIsFree) },
            broken: ONE_COUNTED,
        },
        Wrong {
            name: "slow-create-unfenced",
            idea: "the create succeeded, so the RR is this incident's",
            bounds: Bounds { signals: 3, deletions: 1, ..flawed(Flaw::SlowCreateUnfenced) },
            broken: ONE_COUNTED,
        },
        Wrong {
            name: "help-without-writing",
            idea: "the holder is gone; its RR has the same name whoever creates it, so create it",
            bounds: Bounds { deletions: 1, ..flawed(Flaw::HelpWithoutWriting) },
            broken: ONE_COUNTED,
        },
        Wrong {
            name: "reread-as-fence",
            idea: "read the claim again before counting: if it has not moved, all is well",
            bounds: Bounds { signals: 3, deletions: 1, ..flawed(Flaw::RereadAsFence) },
            broken: ONE_COUNTED,
        },
        Wrong {
            name: "doubt-adds-again",
            idea: "no answer: read the RR and add again",
            bounds: Bounds { signals: 1, losses: 1, ..flawed(Flaw::DoubtAddsAgain) },
            broken: EXACT,
        },
        Wrong {
            name: "doubt-believes-the-number",
            idea: "no answer, but the number is high enough: it was counted",
            bounds: Bounds { losses: 1, ..flawed(Flaw::DoubtBelievesTheNumber) },
            broken: EXACT,
        },
        Wrong {
            name: "batch-grows-in-doubt",
            idea: "while the write is tried again, take what has come meanwhile with it",
            bounds: Bounds { losses: 1, ..flawed(Flaw::BatchGrowsInDoubt) },
            broken: EXACT,
        },
        Wrong {
            name: "open-claim-swept",
            idea: "the claim's RR does not exist, so the claim is of no use",
            bounds: Bounds { sweeps: 1, ..flawed(Flaw::OpenClaimSwept) },
            broken: ONE_COUNTED,
        },
    ]
}
