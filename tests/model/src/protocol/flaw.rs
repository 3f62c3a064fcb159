//! The claim protocol with one part simplified, as a maintainer might who does not see what it is for. The commit
//! inside is the real one; its calls or their results are changed on the way.

mod unknown_count;

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Claim, ClaimFields, Commit, Known, Now, Parameters, Rr, Stage, Step};

use self::unknown_count::{Resolution, Rule, UnknownCount};
use super::start::Start;

/// What is simplified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Any error of a read is taken for "there is none".
    AnyErrorIsFree,
    /// A slow create is counted in without confirming the claim.
    SlowCreateUnfenced,
    /// A helper creates the claim's RR without writing the claim first.
    HelpWithoutWriting,
    /// The fence reads the claim again instead of writing it.
    RereadAsFence,
    /// After a count with an unknown outcome, the RR is read and the batch added again.
    UnknownCountAddedAgain,
    /// A count with an unknown outcome is taken for done if the RR's count is high enough.
    UnknownCountTrustsTheNumber,
    /// Signals join a batch while the outcome of its count is unknown.
    BatchGrowsWhileUnresolved,
    /// The claim GC deletes an open claim whose RR is missing, without waiting for the claim to settle.
    OpenClaimCollected,
    /// A claim that exists already is taken for one's own.
    ExistsIsMine,
    /// An RR that is missing is taken for deleted, though nobody has seen it.
    MissingIsDeleted,
}

impl Flaw {
    /// How it resolves a count with an unknown outcome, if that is what it simplifies.
    const fn rule(self) -> Option<Rule> {
        match self {
            Self::UnknownCountAddedAgain => Some(Rule::AddAgain),
            Self::UnknownCountTrustsTheNumber => Some(Rule::TrustTheNumber),
            Self::BatchGrowsWhileUnresolved => Some(Rule::Grow),
            _ => None,
        }
    }
}

/// A commit with a flaw.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flawed {
    flaw: Flaw,
    parameters: Arc<Parameters>,
    commit: Commit,
    signals: u32,
    /// The claim as last seen.
    claim: Option<Claim>,
    /// The version that a read-only fence compares with.
    fence: Option<Arc<str>>,
    unknown: Option<UnknownCount>,
    /// The count in flight.
    counting: Option<(Rr, u32)>,
    /// The claim whose create is in flight.
    wanted: Option<ClaimFields>,
}

impl Flawed {
    pub(super) fn begin(flaw: Flaw, start: Start) -> (Self, Step) {
        let parameters = Arc::clone(&start.parameters);
        let (commit, step) = begin(&parameters, 1, start.known, start.now);
        let mut flawed = Self {
            flaw,
            parameters,
            commit,
            signals: 1,
            claim: None,
            fence: None,
            unknown: None,
            counting: None,
            wanted: None,
        };
        let step = flawed.replace(step, start.now);
        (flawed, step)
    }

    /// Adds a signal to the batch.
    pub(super) fn join(&mut self) {
        self.signals += 1;
    }

    pub(super) fn stage(&self) -> Stage {
        if self.unknown.is_some() { Stage::ResolveOutcome } else { self.commit.stage() }
    }

    pub(super) fn resume(&mut self, result: ApiResult, now: Now) -> Step {
        if let ApiResult::Claim(claim) = &result {
            self.claim = Some(claim.clone());
        }
        if let Some(version) = self.fence.take() {
            let unmoved = matches!(&result, ApiResult::Claim(claim) if claim.version == version);
            return self.pass_on(if unmoved { result } else { ApiResult::Conflict }, now);
        }
        if let Some(unknown) = self.unknown.take() {
            return self.resolve(unknown, result, now);
        }
        match (self.flaw.rule(), &result, self.commit.stage(), self.counting.take()) {
            (_, ApiResult::Missing, Stage::ReadRr, _) if self.flaw == Flaw::MissingIsDeleted => {
                self.pass_on(ApiResult::Gone, now)
            }
            (_, ApiResult::Conflict, Stage::Acquire, _) if self.flaw == Flaw::ExistsIsMine => self.take_for_own(now),
            (_, ApiResult::Unknown, Stage::ReadClaim | Stage::ReadRr | Stage::FindRr, _)
                if self.flaw == Flaw::AnyErrorIsFree =>
            {
                self.pass_on(ApiResult::Missing, now)
            }
            (Some(rule), ApiResult::Unknown, Stage::Count, Some((rr, target))) => {
                let name = Arc::clone(&rr.name);
                self.unknown = Some(UnknownCount::new(rule, rr, target));
                Step::Call(ApiCall::GetRr { name, under: None })
            }
            _ => self.pass_on(result, now),
        }
    }

    /// Goes on as if the create of the claim had succeeded.
    fn take_for_own(&mut self, now: Now) -> Step {
        let fields = self.wanted.take();
        let own = fields.map(|fields| Claim { uid: Arc::from(""), version: Arc::from(""), fields });
        self.pass_on(own.map_or(ApiResult::Conflict, ApiResult::Claim), now)
    }

    /// Resumes the commit.
    fn pass_on(&mut self, result: ApiResult, now: Now) -> Step {
        let now = match self.flaw {
            Flaw::SlowCreateUnfenced => Now { monotonic_ms: 0, ..now },
            _ => now,
        };
        let step = self.commit.resume(result, now);
        self.replace(step, now)
    }

    /// What the flawed protocol does instead of the commit's `step`.
    fn replace(&mut self, step: Step, now: Now) -> Step {
        match (self.flaw, &step) {
            (Flaw::RereadAsFence, Step::Call(ApiCall::UpdateClaim { version, .. }))
                if self.commit.stage() == Stage::Fence =>
            {
                self.fence = Some(Arc::clone(version));
                Step::Call(ApiCall::GetClaim)
            }
            (Flaw::HelpWithoutWriting, Step::Call(ApiCall::UpdateClaim { fields, .. })) => {
                let claim = self.claim.clone().filter(|claim| !fields.created && claim.fields.intent == fields.intent);
                match claim {
                    Some(claim) => self.pass_on(ApiResult::Claim(claim), now),
                    None => step,
                }
            }
            (Flaw::ExistsIsMine, Step::Call(ApiCall::CreateClaim(fields))) => {
                self.wanted = Some(fields.clone());
                step
            }
            (_, Step::Call(ApiCall::Count { rr, count })) => {
                self.counting = Some((rr.clone(), *count));
                step
            }
            _ => step,
        }
    }

    fn resolve(&mut self, unknown: UnknownCount, result: ApiResult, now: Now) -> Step {
        match unknown.resolve(result, self.signals) {
            Resolution::Done(done) => Step::Done(done),
            Resolution::Call(unknown, call) => {
                self.unknown = Some(unknown);
                Step::Call(call)
            }
            Resolution::Restart(known) => {
                let known = known.map_or(Known::Nothing, Known::Rr);
                let (commit, step) = begin(&self.parameters, self.signals, known, now);
                self.commit = commit;
                self.replace(step, now)
            }
        }
    }
}

fn begin(parameters: &Arc<Parameters>, signals: u32, known: Known, now: Now) -> (Commit, Step) {
    Commit::begin(Arc::clone(parameters), signals.try_into().expect("a batch is not empty"), known, now)
}
