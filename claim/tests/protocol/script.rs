//! A commit driven step by step: supply the result of a call, check the next call.

use std::num::NonZeroU32;
use std::sync::Arc;

use onceway_claim::{
    ApiCall, ApiResult, Claim, ClaimFields, Commit, CommitOutcome, Known, Now, Parameters, Phase, Rr, Stage, Step,
};

pub(super) const ME: &str = "pod-a_1";
pub(super) const OTHER: &str = "pod-b_1";
/// The wall clock of all scripts, in Unix seconds.
pub(super) const CLOCK_S: u64 = 1_000;
/// The name that a new RR has at this clock.
pub(super) const FRESH: &str = "rr-abc-1000";
/// The name of an earlier incident's RR.
pub(super) const OLD: &str = "rr-abc-900";

/// A commit and its current step.
pub(super) struct Script {
    commit: Commit,
    step: Step,
    monotonic_ms: u64,
}

impl Script {
    /// A batch of `signals` at a replica that knows no RR of the incident.
    pub(super) fn begin(signals: u32) -> Self {
        Self::begin_with(signals, Known::Nothing)
    }

    /// A batch at a replica that has counted in `known` before.
    pub(super) fn begin_knowing(signals: u32, known: Rr) -> Self {
        Self::begin_with(signals, Known::Rr(known))
    }

    /// A batch at a replica that has seen no RR of the incident.
    pub(super) fn begin_new(signals: u32) -> Self {
        Self::begin_with(signals, Known::New)
    }

    fn begin_with(signals: u32, known: Known) -> Self {
        let signals = NonZeroU32::new(signals).unwrap();
        let (commit, step) = Commit::begin(Arc::new(parameters()), signals, known, now(0));
        Self { commit, step, monotonic_ms: 0 }
    }

    /// Lets time pass before the next result.
    pub(super) fn after_ms(mut self, ms: u64) -> Self {
        self.monotonic_ms += ms;
        self
    }

    /// Expects this call and resumes with `result`.
    pub(super) fn on(mut self, expected: &ApiCall, result: ApiResult) -> Self {
        assert_eq!(self.step, Step::Call(expected.clone()));
        self.step = self.commit.resume(result, now(self.monotonic_ms));
        self
    }

    /// Expects a wait and lets it elapse.
    pub(super) fn on_wait(mut self) -> Self {
        assert!(matches!(self.step, Step::Wait(_)), "{:?}", self.step);
        assert_eq!(self.commit.stage(), Stage::AwaitHolder);
        self.step = self.commit.resume(ApiResult::Elapsed, now(self.monotonic_ms));
        self
    }

    /// Expects this call as the last one of the script.
    pub(super) fn expects(self, expected: &ApiCall) {
        assert_eq!(self.step, Step::Call(expected.clone()));
    }

    /// Expects the end.
    pub(super) fn done(self) -> CommitOutcome {
        match self.step {
            Step::Done(outcome) => outcome,
            step => panic!("not done: {step:?}"),
        }
    }
}

fn parameters() -> Parameters {
    Parameters { identity: ME.into(), name_prefix: "rr-abc".into(), prompt_ms: 1000, help_polls: 2, help_poll_ms: 25 }
}

fn now(monotonic_ms: u64) -> Now {
    Now { unix_ms: CLOCK_S * 1000, monotonic_ms }
}

/// Fields of a claim by `holder` for `intent`, never transferred, whose floor is the second in the name.
pub(super) fn fields(holder: &str, intent: &str, created: bool) -> ClaimFields {
    let floor = intent.rsplit('-').next().and_then(|second| second.parse().ok()).unwrap();
    ClaimFields { holder: holder.into(), intent: intent.into(), created, floor, transitions: 0 }
}

/// The same after a change of holder.
pub(super) fn transferred(fields: ClaimFields) -> ClaimFields {
    ClaimFields { transitions: fields.transitions + 1, ..fields }
}

pub(super) fn claim(version: &str, fields: ClaimFields) -> Claim {
    Claim { uid: "c-uid".into(), version: version.into(), fields }
}

/// An active RR of this fingerprint.
pub(super) fn rr(name: &str, creator: &str, version: &str, count: u32) -> Rr {
    Rr {
        name: name.into(),
        uid: "u1".into(),
        version: version.into(),
        fingerprint_matches: true,
        creator: creator.into(),
        count,
        phase: Phase::Active,
        first_seen_ms: None,
        last_seen_ms: None,
        signals: Default::default(),
    }
}

pub(super) fn in_phase(rr: Rr, phase: Phase) -> Rr {
    Rr { phase, ..rr }
}

/// The read of an RR to resolve a count.
pub(super) fn get_rr(name: &str) -> ApiCall {
    ApiCall::GetRr { name: name.into(), under: None }
}

/// The read of the RR that the claim of this version names.
pub(super) fn check(name: &str, version: &str) -> ApiCall {
    ApiCall::GetRr { name: name.into(), under: Some(version.into()) }
}

pub(super) fn create_rr(name: &str, version: &str) -> ApiCall {
    ApiCall::CreateRr { name: name.into(), under: version.into() }
}

pub(super) fn update_claim(version: &str, fields: ClaimFields) -> ApiCall {
    ApiCall::UpdateClaim { version: version.into(), fields }
}

pub(super) fn count(rr: &Rr, count: u32) -> ApiCall {
    ApiCall::Count { rr: rr.clone(), count }
}

/// The search for an active RR other than `except`.
pub(super) fn find(except: Option<&str>) -> ApiCall {
    ApiCall::FindRr { except: except.map(Into::into) }
}
