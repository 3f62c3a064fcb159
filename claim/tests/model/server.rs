//! The API server of the model: one claim, RRs by name, linearizable compare-and-swap. An update whose version is not
//! the current one conflicts; a version is never used twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use onceway_claim::{Answer, Call, Claim, ClaimFields, Phase, Rr};

/// What the API server holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Server {
    claim: Option<Claim>,
    claim_writes: u32,
    rrs: BTreeMap<Arc<str>, Rr>,
    rr_creates: u32,
    /// Signals counted in RRs that have been deleted since.
    buried: u32,
    /// Whether a count was ever written to an RR that takes no signals.
    pub(crate) counted_in_ended: bool,
}

impl Server {
    /// Executes a call of the process `author`, at once and whole.
    pub(crate) fn execute(&mut self, author: &Arc<str>, call: &Call) -> Answer {
        match call {
            Call::GetClaim => self.claim.clone().map_or(Answer::Missing, Answer::Claim),
            Call::CreateClaim(_) if self.claim.is_some() => Answer::Conflict,
            Call::CreateClaim(fields) => self.write_claim(fields),
            Call::UpdateClaim { version, fields } => match &self.claim {
                None => Answer::Missing,
                Some(claim) if claim.version != *version => Answer::Conflict,
                Some(_) => self.write_claim(fields),
            },
            Call::FindRr { except } => self.found(except.as_ref()).next().cloned().map_or(Answer::Missing, Answer::Rr),
            Call::GetRr { name } => self.rrs.get(name).cloned().map_or(Answer::Missing, Answer::Rr),
            Call::CreateRr { name } if self.rrs.contains_key(name) => Answer::Conflict,
            Call::CreateRr { name } => self.create_rr(author, name),
            Call::Count { rr, count } => self.swap(rr, |held| held.count = *count),
            Call::DeleteRr { rr } => match self.rrs.get(&rr.name) {
                None => Answer::Missing,
                Some(held) if held.uid != rr.uid || held.version != rr.version => Answer::Conflict,
                Some(_) => {
                    self.delete(&rr.name);
                    Answer::Deleted
                }
            },
            Call::DeleteClaim { claim } => match &self.claim {
                None => Answer::Missing,
                Some(held) if held.version != claim.version => Answer::Conflict,
                Some(_) => {
                    self.claim = None;
                    Answer::Deleted
                }
            },
        }
    }

    /// Whether a late call could still do anything. A stale compare-and-swap never can: leaving it out keeps the
    /// number of states down and loses no behaviour.
    pub(crate) fn may_still_act(&self, call: &Call, may_sweep: bool) -> bool {
        match call {
            Call::GetClaim | Call::FindRr { .. } | Call::GetRr { .. } => false,
            // Without a sweeper there always is a claim once there is one.
            Call::CreateClaim(_) => self.claim.is_none() || may_sweep,
            Call::DeleteClaim { claim } => self.claim.as_ref() == Some(claim),
            Call::UpdateClaim { version, .. } => self.claim.as_ref().is_some_and(|claim| claim.version == *version),
            Call::CreateRr { .. } => true,
            Call::Count { rr, .. } | Call::DeleteRr { rr } => {
                self.rrs.get(&rr.name).is_some_and(|held| held.version == rr.version)
            }
        }
    }

    /// The controller that owns the RR brings it to a terminal phase.
    pub(crate) fn end(&mut self, name: &Arc<str>) {
        self.touch(name, |rr| rr.phase = Phase::Ended);
    }

    /// Another controller writes a status field of its own.
    pub(crate) fn touch(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Rr)) {
        if let Some(rr) = self.rrs.get_mut(name) {
            // A version of its own, told by uid and length: fewer states than a server-wide counter gives.
            rr.version = format!("{}+", rr.version).into();
            change(rr);
        }
    }

    /// The RR goes, by whoever's hand.
    pub(crate) fn delete(&mut self, name: &Arc<str>) {
        if let Some(rr) = self.rrs.remove(name) {
            self.buried += rr.count;
        }
    }

    /// The RRs that exist.
    pub(crate) fn rrs(&self) -> impl Iterator<Item = &Rr> {
        self.rrs.values()
    }

    /// The RRs that are active.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Rr> {
        self.rrs().filter(|rr| rr.phase == Phase::Active)
    }

    /// The RRs that a search could find.
    pub(crate) fn found<'a>(&'a self, except: Option<&'a Arc<str>>) -> impl Iterator<Item = &'a Rr> {
        self.active().filter(move |rr| Some(&rr.name) != except)
    }

    /// The claim.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// Somebody who knows nothing of claims creates an RR of the fingerprint.
    pub(crate) fn intrude(&mut self) {
        let name = format!("by-hand-{}", self.rr_creates).into();
        self.create_rr(&Arc::from(""), &name);
    }

    /// All signals ever counted, those in deleted RRs included.
    pub(crate) fn counted(&self) -> u32 {
        self.buried + self.rrs().map(|rr| rr.count).sum::<u32>()
    }

    fn write_claim(&mut self, fields: &ClaimFields) -> Answer {
        self.claim_writes += 1;
        let claim =
            Claim { uid: "claim".into(), version: self.claim_writes.to_string().into(), fields: fields.clone() };
        self.claim = Some(claim.clone());
        Answer::Claim(claim)
    }

    fn create_rr(&mut self, author: &Arc<str>, name: &Arc<str>) -> Answer {
        self.rr_creates += 1;
        let version: Arc<str> = self.rr_creates.to_string().into();
        let rr = Rr {
            name: Arc::clone(name),
            uid: Arc::clone(&version),
            version,
            ours: true,
            creator: Arc::clone(author),
            count: 0,
            phase: Phase::Active,
            first_seen_ms: None,
            last_seen_ms: None,
        };
        self.rrs.insert(Arc::clone(name), rr.clone());
        Answer::Rr(rr)
    }

    /// A status write that carries a resourceVersion, as a merge patch does: it does not look at the uid.
    fn swap(&mut self, seen: &Rr, change: impl FnOnce(&mut Rr)) -> Answer {
        match self.rrs.get(&seen.name) {
            None => return Answer::Missing,
            Some(held) if held.version != seen.version => return Answer::Conflict,
            Some(held) => self.counted_in_ended |= held.phase == Phase::Ended,
        }
        self.touch(&seen.name, change);
        self.rrs.get(&seen.name).cloned().map_or(Answer::Missing, Answer::Rr)
    }
}
