//! A count in doubt, resolved too easily.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, CommitOutcome, Done, Rr};

use super::Flaw;

/// A count whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Doubt {
    rule: Rule,
    rr: Rr,
    target: u32,
    /// Whether the write is under way again, rather than a read.
    writes: bool,
}

/// How it is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    AddAgain,
    BelieveTheNumber,
    Grow,
}

/// What follows.
pub(super) enum Verdict {
    Over(Done),
    Ask(Doubt, ApiCall),
    /// The batch is committed anew, beginning with this RR.
    Again(Option<Rr>),
}

impl Rule {
    pub(super) fn about(self, rr: Rr, target: u32) -> Doubt {
        Doubt { rule: self, rr, target, writes: false }
    }
}

impl Doubt {
    /// Whether this flaw is one of doubts.
    pub(super) const fn of(flaw: Flaw) -> Option<Rule> {
        match flaw {
            Flaw::DoubtAddsAgain => Some(Rule::AddAgain),
            Flaw::DoubtBelievesTheNumber => Some(Rule::BelieveTheNumber),
            Flaw::BatchGrowsInDoubt => Some(Rule::Grow),
            _ => None,
        }
    }

    /// The answer to the read or write of a batch that holds `signals` by now.
    pub(super) fn judge(self, answer: ApiResult, signals: u32) -> Verdict {
        let counted =
            |rr| Verdict::Over(Done { outcome: CommitOutcome::Counted { rr, created: false }, aftermath: None });
        match answer {
            ApiResult::Rr(seen) if self.writes => counted(seen),
            ApiResult::Rr(seen) if seen.uid == self.rr.uid => match self.rule {
                Rule::AddAgain => Verdict::Again(Some(seen)),
                // For a rule that lets no batch grow, this is the identical write.
                Rule::BelieveTheNumber | Rule::Grow if seen.version == self.rr.version => {
                    let target = self.rr.count + signals;
                    Verdict::Ask(Self { target, writes: true, ..self }, ApiCall::Count { rr: seen, count: target })
                }
                Rule::BelieveTheNumber if seen.count >= self.target => counted(seen),
                Rule::Grow if seen.count >= self.rr.count + signals => in_doubt(),
                Rule::BelieveTheNumber | Rule::Grow => Verdict::Again(None),
            },
            ApiResult::Missing | ApiResult::Rr(_) => in_doubt(),
            _ => {
                let name = Arc::clone(&self.rr.name);
                Verdict::Ask(Self { writes: false, ..self }, ApiCall::GetRr { name })
            }
        }
    }
}

fn in_doubt() -> Verdict {
    Verdict::Over(Done { outcome: CommitOutcome::InDoubt, aftermath: None })
}
