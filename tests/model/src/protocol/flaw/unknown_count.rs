//! Flawed ways to resolve a count with an unknown outcome.

use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, CommitOutcome, Rr};

/// A count whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct UnknownCount {
    rule: Rule,
    rr: Rr,
    target: u32,
    /// Whether the repeated write is in flight, rather than a read.
    writes: bool,
}

/// How it is resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    AddAgain,
    TrustTheNumber,
    Grow,
}

/// The next step of the resolution.
pub(super) enum Resolution {
    Done(CommitOutcome),
    Call(UnknownCount, ApiCall),
    /// The batch is committed again, beginning with this RR.
    Restart(Option<Rr>),
}

impl UnknownCount {
    pub(super) fn new(rule: Rule, rr: Rr, target: u32) -> Self {
        Self { rule, rr, target, writes: false }
    }

    /// Takes the result of the read or write of a batch that has `signals` by now.
    pub(super) fn resolve(self, result: ApiResult, signals: u32) -> Resolution {
        let counted = |rr| Resolution::Done(CommitOutcome::Counted { rr, created: false });
        match result {
            ApiResult::Rr(current) if self.writes => counted(current),
            ApiResult::Rr(current) if current.uid == self.rr.uid => match self.rule {
                Rule::AddAgain => Resolution::Restart(Some(current)),
                // With a batch that does not grow, this is the identical write.
                Rule::TrustTheNumber | Rule::Grow if current.version == self.rr.version => {
                    let target = self.rr.count + signals;
                    let call = ApiCall::Count { rr: current, count: target };
                    Resolution::Call(Self { target, writes: true, ..self }, call)
                }
                Rule::TrustTheNumber if current.count >= self.target => counted(current),
                Rule::Grow if current.count >= self.rr.count + signals => unresolved(),
                Rule::TrustTheNumber | Rule::Grow => Resolution::Restart(None),
            },
            ApiResult::Missing | ApiResult::Rr(_) => unresolved(),
            _ => {
                let name = Arc::clone(&self.rr.name);
                Resolution::Call(Self { writes: false, ..self }, ApiCall::GetRr { name, under: None })
            }
        }
    }
}

fn unresolved() -> Resolution {
    Resolution::Done(CommitOutcome::Unresolved)
}
