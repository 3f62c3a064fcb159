//! The claim protocol with one part of it made easier, as somebody might who does not see what it is for. The commit in it
//! is the real one: what it asks for, or what it is told, is changed on the way.

mod doubt;

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Claim, Commit, Now, Parameters, Rr, Stage, Step};

use self::doubt::{Doubt, Verdict};
use super::Start;

/// What was made easier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// Any error is read as "there is none".
    AnyErrorIsFree,
    /// A slow create is counted in without confirming the claim.
    SlowCreateUnfenced,
    /// A helper creates the claim's RR without writing the claim first.
    HelpWithoutWriting,
    /// The claim is read again, rather than written, to see that it has not moved.
    RereadAsFence,
    /// A count in doubt is looked at and added again.
    DoubtAddsAgain,
    /// A count in doubt is taken for done when the number is high enough.
    DoubtBelievesTheNumber,
    /// Signals join a batch whose count is in doubt.
    BatchGrowsInDoubt,
    /// The sweeper removes a claim whose RR is missing, though nobody has ever seen it.
    OpenClaimSwept,
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
    /// The version that a fence that only reads compares with.
    fence: Option<Arc<str>>,
    doubt: Option<Doubt>,
    /// The count under way.
    counting: Option<(Rr, u32)>,
}

impl Flawed {
    pub(super) fn begin(flaw: Flaw, start: Start) -> (Self, Step) {
        let parameters = Arc::clone(&start.parameters);
        let (commit, step) = begin(&parameters, 1, start.known, start.now);
        let mut flawed =
            Self { flaw, parameters, commit, signals: 1, claim: None, fence: None, doubt: None, counting: None };
        let step = flawed.pass(step, start.now);
        (flawed, step)
    }

    /// A further signal joins.
    pub(super) fn join(&mut self) {
        self.signals += 1;
    }

    pub(super) fn stage(&self) -> Stage {
        if self.doubt.is_some() { Stage::Doubt } else { self.commit.stage() }
    }

    pub(super) fn resume(&mut self, answer: ApiResult, now: Now) -> Step {
        if let ApiResult::Claim(claim) = &answer {
            self.claim = Some(claim.clone());
        }
        if let Some(version) = self.fence.take() {
            let unmoved = matches!(&answer, ApiResult::Claim(claim) if claim.version == version);
            return self.tell(if unmoved { answer } else { ApiResult::Conflict }, now);
        }
        if let Some(doubt) = self.doubt.take() {
            return self.on_doubt(doubt, answer, now);
        }
        match (self.flaw, &answer, self.commit.stage(), self.counting.take()) {
            (Flaw::AnyErrorIsFree, ApiResult::Unknown, Stage::ReadClaim | Stage::ReadRr | Stage::FindRr, _) => {
                self.tell(ApiResult::Missing, now)
            }
            (flaw, ApiResult::Unknown, Stage::Count, Some((rr, target))) if Doubt::of(flaw).is_some() => {
                let name = Arc::clone(&rr.name);
                self.doubt = Doubt::of(flaw).map(|doubt| doubt.about(rr, target));
                Step::Call(ApiCall::GetRr { name })
            }
            _ => self.tell(answer, now),
        }
    }

    fn tell(&mut self, answer: ApiResult, now: Now) -> Step {
        let now = match self.flaw {
            Flaw::SlowCreateUnfenced => Now { monotonic_ms: 0, ..now },
            _ => now,
        };
        let step = self.commit.resume(answer, now);
        self.pass(step, now)
    }

    /// What is really done where the commit asks for `step`.
    fn pass(&mut self, step: Step, now: Now) -> Step {
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
                    Some(claim) => self.tell(ApiResult::Claim(claim), now),
                    None => step,
                }
            }
            (_, Step::Call(ApiCall::Count { rr, count })) => {
                self.counting = Some((rr.clone(), *count));
                step
            }
            _ => step,
        }
    }

    fn on_doubt(&mut self, doubt: Doubt, answer: ApiResult, now: Now) -> Step {
        match doubt.judge(answer, self.signals) {
            Verdict::Over(done) => Step::Done(done),
            Verdict::Ask(doubt, call) => {
                self.doubt = Some(doubt);
                Step::Call(call)
            }
            Verdict::Again(known) => {
                let (commit, step) = begin(&self.parameters, self.signals, known, now);
                self.commit = commit;
                self.pass(step, now)
            }
        }
    }
}

fn begin(parameters: &Arc<Parameters>, signals: u32, known: Option<Rr>, now: Now) -> (Commit, Step) {
    Commit::begin(Arc::clone(parameters), signals.try_into().expect("a batch is not empty"), known, now)
}
