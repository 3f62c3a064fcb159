//! The API server of the model: one claim, RRs by name, linearizable compare-and-swap. An update whose version is not
//! the current one conflicts; no version is used twice.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Claim, ClaimFields, Phase, Rr};

use crate::token::token;

/// The stored objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    claim: Option<Claim>,
    rrs: BTreeMap<Arc<str>, Rr>,
    /// Whether an RR was created under the claim's version.
    created_under: bool,
    /// Signals counted in RRs that were deleted since.
    counted_in_deleted: u32,
    /// RRs that others have created.
    foreign_rrs: u32,
    /// Whether a count was ever written to an RR that takes no signals.
    counted_in_terminal: bool,
    /// The source of versions and uids. Not part of the hash: see [`Server::hash`].
    tokens: u32,
    /// Whether a delete of the claim ignores its precondition, for a flawed protocol.
    blind_delete: bool,
}

impl Hash for Server {
    /// Versions and uids are compared for equality only, so the number used so far makes no difference.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.claim.hash(state);
        self.rrs.hash(state);
        (self.counted_in_deleted, self.foreign_rrs, self.counted_in_terminal, self.created_under).hash(state);
    }
}

impl Server {
    /// A server without objects.
    pub(crate) fn new(blind_delete: bool) -> Self {
        Self { blind_delete, ..Self::default() }
    }

    /// Executes a call of the process `author` atomically.
    pub(crate) fn execute(&mut self, author: &Arc<str>, call: &ApiCall) -> ApiResult {
        match call {
            ApiCall::GetClaim => self.claim.clone().map_or(ApiResult::Missing, ApiResult::Claim),
            ApiCall::CreateClaim(_) if self.claim.is_some() => ApiResult::Conflict,
            ApiCall::CreateClaim(fields) => self.write_claim(fields),
            ApiCall::UpdateClaim { version, fields } => match &self.claim {
                None => ApiResult::Missing,
                Some(claim) if claim.version != *version => ApiResult::Conflict,
                Some(_) => self.write_claim(fields),
            },
            ApiCall::FindRr { except } => {
                self.found(except.as_ref()).next().cloned().map_or(ApiResult::Missing, ApiResult::Rr)
            }
            ApiCall::GetRr { name, .. } => self.rrs.get(name).cloned().map_or(ApiResult::Missing, ApiResult::Rr),
            ApiCall::CreateRr { name, .. } if self.rrs.contains_key(name) => ApiResult::Conflict,
            ApiCall::CreateRr { name, under } => {
                self.created_under |= self.has_version(under);
                self.create_rr(author, name)
            }
            ApiCall::Count { rr, count } => self.count(rr, *count),
            ApiCall::DeleteRr { rr } => match self.rrs.get(&rr.name) {
                None => ApiResult::Missing,
                Some(held) if held.uid != rr.uid || held.version != rr.version => ApiResult::Conflict,
                Some(_) => {
                    self.delete(&rr.name);
                    ApiResult::Deleted
                }
            },
            ApiCall::DeleteClaim { claim } => match &self.claim {
                None => ApiResult::Missing,
                Some(held) if held.version != claim.version && !self.blind_delete => ApiResult::Conflict,
                Some(_) => {
                    self.claim = None;
                    ApiResult::Deleted
                }
            },
        }
    }

    /// Whether a late call could still take effect. A stale compare-and-swap cannot: dropping it reduces the number of
    /// states and loses no behaviour.
    pub(crate) fn may_take_effect(&self, call: &ApiCall, claim_may_be_deleted: bool) -> bool {
        match call {
            ApiCall::GetClaim | ApiCall::FindRr { .. } | ApiCall::GetRr { .. } => false,
            // A claim stays once it exists, unless something deletes claims.
            ApiCall::CreateClaim(_) => self.claim.is_none() || claim_may_be_deleted,
            ApiCall::DeleteClaim { claim } => {
                self.blind_delete || self.claim.as_ref().is_some_and(|held| held.version == claim.version)
            }
            ApiCall::UpdateClaim { version, .. } => self.claim.as_ref().is_some_and(|claim| claim.version == *version),
            ApiCall::CreateRr { .. } => true,
            ApiCall::Count { rr, .. } | ApiCall::DeleteRr { rr } => {
                self.rrs.get(&rr.name).is_some_and(|held| held.version == rr.version)
            }
        }
    }

    /// Whether this call reads an RR that was created under the claim's version and is missing now. A read for another version
    /// ends in a conflict, whatever it finds.
    pub(crate) fn is_gone(&self, call: &ApiCall) -> bool {
        let ApiCall::GetRr { name, under: Some(under) } = call else { return false };
        self.created_under && self.has_version(under) && !self.rrs.contains_key(name)
    }

    fn has_version(&self, version: &Arc<str>) -> bool {
        self.claim.as_ref().is_some_and(|claim| claim.version == *version)
    }

    /// The RR's controller moves it to a terminal phase.
    pub(crate) fn terminate(&mut self, name: &Arc<str>) {
        self.change(name, |rr| rr.phase = Phase::Terminal);
    }

    /// Another controller writes a status field of its own.
    pub(crate) fn foreign_write(&mut self, name: &Arc<str>) {
        self.change(name, |_| {});
    }

    /// Deletes the RR.
    pub(crate) fn delete(&mut self, name: &Arc<str>) {
        if let Some(rr) = self.rrs.remove(name) {
            self.counted_in_deleted += rr.count;
        }
    }

    /// Somebody who does not use claims creates an RR of the fingerprint.
    pub(crate) fn create_foreign_rr(&mut self) {
        let name = format!("by-hand-{}", self.foreign_rrs).into();
        self.foreign_rrs += 1;
        self.create_rr(&Arc::from(""), &name);
    }

    /// All RRs.
    pub(crate) fn rrs(&self) -> impl Iterator<Item = &Rr> {
        self.rrs.values()
    }

    /// The active RRs.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Rr> {
        self.rrs().filter(|rr| rr.phase == Phase::Active)
    }

    /// The RRs that a search may return.
    pub(crate) fn found<'a>(&'a self, except: Option<&'a Arc<str>>) -> impl Iterator<Item = &'a Rr> {
        self.active().filter(move |rr| Some(&rr.name) != except)
    }

    /// The RR of this name.
    pub(crate) fn rr(&self, name: &Arc<str>) -> Option<&Rr> {
        self.rrs.get(name)
    }

    /// The claim.
    pub(crate) fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// The sum of all counts, deleted RRs included.
    pub(crate) fn counted(&self) -> u32 {
        self.counted_in_deleted + self.rrs().map(|rr| rr.count).sum::<u32>()
    }

    /// Whether a count was ever written to an RR that takes no signals.
    pub(crate) fn counted_in_terminal(&self) -> bool {
        self.counted_in_terminal
    }

    fn write_claim(&mut self, fields: &ClaimFields) -> ApiResult {
        let uid = self.claim.as_ref().map(|claim| Arc::clone(&claim.uid)).unwrap_or_else(|| self.token('u'));
        let claim = Claim { uid, version: self.token('v'), fields: fields.clone() };
        self.claim = Some(claim.clone());
        self.created_under = false;
        ApiResult::Claim(claim)
    }

    fn create_rr(&mut self, author: &Arc<str>, name: &Arc<str>) -> ApiResult {
        let rr = Rr {
            name: Arc::clone(name),
            uid: self.token('u'),
            version: self.token('v'),
            fingerprint_matches: true,
            creator: Arc::clone(author),
            count: 0,
            phase: Phase::Active,
            first_seen_ms: None,
            last_seen_ms: None,
            signals: Default::default(),
        };
        self.rrs.insert(Arc::clone(name), rr.clone());
        ApiResult::Rr(rr)
    }

    /// A status write that carries a resourceVersion, as a merge patch does: it does not check the uid.
    fn count(&mut self, seen: &Rr, count: u32) -> ApiResult {
        match self.rrs.get(&seen.name) {
            None => return ApiResult::Missing,
            Some(held) if held.version != seen.version => return ApiResult::Conflict,
            Some(held) => self.counted_in_terminal |= held.phase == Phase::Terminal,
        }
        self.change(&seen.name, |rr| rr.count = count);
        self.rrs.get(&seen.name).cloned().map_or(ApiResult::Missing, ApiResult::Rr)
    }

    fn change(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Rr)) {
        let version = self.token('v');
        if let Some(rr) = self.rrs.get_mut(name) {
            rr.version = version;
            change(rr);
        }
    }

    fn token(&mut self, kind: char) -> Arc<str> {
        self.tokens += 1;
        token(kind, self.tokens)
    }
}
