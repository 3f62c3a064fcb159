//! A path through the model, as a person would tell it.

use std::fmt::Write as _;
use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Claim, Phase, Rr};
use stateright::Path;

use crate::action::Action;
use crate::bounds::Bounds;
use crate::chore::Chore;
use crate::protocol::Protocol;
use crate::replica::Pace;
use crate::world::World;

/// Numbered lines: who, what, and what came of it; then the RRs as they stand at the end.
pub(crate) fn timeline(bounds: &Bounds, path: Path<World, Action>) -> String {
    let steps = path.into_vec();
    let register = if matches!(bounds.protocol, Protocol::Locked(_)) { "lease" } else { "claim" };
    let mut text = String::new();
    for (number, (world, action)) in steps.iter().enumerate() {
        match action {
            Some(action) => {
                let _ = writeln!(text, "{:>3}  {}", number + 1, Teller { world, register }.line(action));
            }
            None => {
                let rrs: Vec<String> = world.server.rrs().map(rr).collect();
                let _ = writeln!(text, "     in the end: {}", rrs.join("; "));
            }
        }
    }
    text
}

/// Tells what happens in one state.
struct Teller<'a> {
    world: &'a World,
    /// What the Lease is called in this protocol.
    register: &'static str,
}

impl Teller<'_> {
    fn line(&self, action: &Action) -> String {
        match action {
            Action::Submit(index) => format!("{}  takes a signal", self.name(*index)),
            Action::ApiResult(index, pace) => {
                let answer = self.answer(*index);
                let slowly = if *pace == Pace::Slow { ", slowly" } else { "" };
                format!("{}  {} -> {answer}{slowly}", self.name(*index), self.call_of(*index))
            }
            Action::Find(index, found) => {
                let found = found.as_ref().map_or("none", |name| name);
                format!("{}  looks for an active RR in its cache -> {found}", self.name(*index))
            }
            Action::Elapse(index) => format!("{}  has waited", self.name(*index)),
            Action::Lose(index) => format!("{}  {} -> no answer", self.name(*index), self.call_of(*index)),
            Action::Execute(place) => {
                let mut server = self.world.server.clone();
                let late = &self.world.late[*place];
                let answer = server.execute(&late.author, &late.call);
                format!("-  late: {} -> {}", self.call(&late.call), said(&late.call, &answer))
            }
            Action::GiveUp(index) => format!("{}  answers 503 at its deadline", self.name(*index)),
            Action::Crash(index) => format!("{}  is killed and starts anew", self.name(*index)),
            Action::End(name) => format!("-  {name} ends"),
            Action::Delete(name) | Action::Bury(name) => format!("-  {name} is deleted"),
            Action::Touch(name) => format!("-  another controller writes to {name}"),
            Action::Intrude => "-  somebody else creates an RR".to_owned(),
            Action::RrGc(name) => format!("-  the reaper looks at {name}"),
            Action::ClaimGc(_) => "-  the sweeper looks at the claim".to_owned(),
            Action::GcStep => self.tidying(),
        }
    }

    fn name(&self, index: usize) -> char {
        char::from(b'A' + u8::try_from(index).unwrap_or(u8::MAX - b'A'))
    }

    fn call_of(&self, index: usize) -> String {
        self.world.replicas[index].call().map(|call| self.call(call)).unwrap_or_default()
    }

    fn call(&self, call: &ApiCall) -> String {
        let register = self.register;
        match call {
            ApiCall::GetClaim => format!("GET {register}"),
            ApiCall::CreateClaim(fields) => format!("CREATE {register}{}", intent(&fields.intent, fields.created)),
            ApiCall::UpdateClaim { fields, .. } => {
                format!("UPDATE {register}{}", intent(&fields.intent, fields.created))
            }
            ApiCall::DeleteClaim { .. } => format!("DELETE {register}"),
            ApiCall::FindRr { .. } => "LIST active RRs".to_owned(),
            ApiCall::GetRr { name } => format!("GET {name}"),
            ApiCall::CreateRr { name } => format!("CREATE {name}"),
            ApiCall::Count { rr, count } => format!("write count {count} to {}", rr.name),
            ApiCall::DeleteRr { rr } => format!("DELETE {}", rr.name),
        }
    }

    fn answer(&self, index: usize) -> String {
        let mut server = self.world.server.clone();
        let replica = &self.world.replicas[index];
        replica.call().map(|call| said(call, &server.execute(replica.identity(), call))).unwrap_or_default()
    }

    fn tidying(&self) -> String {
        let Some(chore) = &self.world.chore else { return String::new() };
        let who = match chore {
            Chore::RrGc(..) => "the reaper",
            Chore::ClaimGc(..) => "the sweeper",
        };
        let answer = self.world.server.clone().execute(&Arc::from(""), chore.call());
        format!("-  {who}: {} -> {}", self.call(chore.call()), said(chore.call(), &answer))
    }
}

/// A plain lock names no RR.
fn intent(name: &str, created: bool) -> String {
    match (name, created) {
        ("", _) => String::new(),
        (name, true) => format!(" ({name}, created)"),
        (name, false) => format!(" ({name}, open)"),
    }
}

fn said(call: &ApiCall, answer: &ApiResult) -> String {
    match answer {
        ApiResult::Missing if matches!(call, ApiCall::FindRr { .. }) => "none".to_owned(),
        ApiResult::Claim(Claim { fields, .. }) => format!("ok{}", intent(&fields.intent, fields.created)),
        ApiResult::Rr(seen) => rr(seen),
        ApiResult::Deleted => "ok".to_owned(),
        ApiResult::Missing => "404".to_owned(),
        ApiResult::Conflict => "409".to_owned(),
        ApiResult::Unknown => "no answer".to_owned(),
        ApiResult::Elapsed => String::new(),
    }
}

fn rr(rr: &Rr) -> String {
    let phase = if rr.phase == Phase::Active { "active" } else { "ended" };
    format!("{} ({phase}, count {})", rr.name, rr.count)
}
