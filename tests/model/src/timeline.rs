//! A path through the model as numbered lines for readers.

use std::fmt::Write as _;
use std::sync::Arc;

use onceway_claim::{ApiCall, ApiResult, Claim, Phase, Rr};
use stateright::Path;

use crate::action::Action;
use crate::bounds::Bounds;
use crate::gc::GcRun;
use crate::protocol::Protocol;
use crate::replica::Pace;
use crate::world::World;

/// One line per action (replica, call -> result), then the RRs of the last state.
pub(crate) fn timeline(bounds: &Bounds, path: Path<World, Action>) -> String {
    let steps = path.into_vec();
    let register = if matches!(bounds.protocol, Protocol::Locked(_)) { "lease" } else { "claim" };
    let mut text = String::new();
    for (number, (world, action)) in steps.iter().enumerate() {
        match action {
            Some(action) => {
                let _ = writeln!(text, "{:>3}  {}", number + 1, Formatter { world, register }.line(action));
            }
            None => {
                let rrs: Vec<String> = world.server.rrs().map(rr).collect();
                let _ = writeln!(text, "     final RRs: {}", rrs.join("; "));
            }
        }
    }
    text
}

/// Formats the actions of one state.
struct Formatter<'a> {
    world: &'a World,
    /// The name of the Lease in this protocol.
    register: &'static str,
}

impl Formatter<'_> {
    fn line(&self, action: &Action) -> String {
        match action {
            Action::Submit(index) => format!("{}  receives a signal", self.name(*index)),
            Action::SubmitNew(index) => format!("{}  receives the first signal that it knows of", self.name(*index)),
            Action::FindGone(index) => {
                format!("{}  {} -> 404, known to be deleted", self.name(*index), self.call_of(*index))
            }
            Action::GcFindsGone => "-  GC: 404, known to be deleted".to_owned(),
            Action::Execute(index, pace) => {
                let result = self.result_of(*index);
                let slowly = if *pace == Pace::Slow { ", slowly" } else { "" };
                format!("{}  {} -> {result}{slowly}", self.name(*index), self.call_of(*index))
            }
            Action::Find(index, found) => {
                let found = found.as_ref().map_or("none", |name| name);
                format!("{}  searches its cache for an active RR -> {found}", self.name(*index))
            }
            Action::Elapse(index) => format!("{}  has waited", self.name(*index)),
            Action::LoseResponse(index) => format!("{}  {} -> no response", self.name(*index), self.call_of(*index)),
            Action::ExecuteLate(index) => {
                let mut server = self.world.server.clone();
                let late = &self.world.late[*index];
                let result = server.execute(&late.author, &late.call);
                format!("-  late: {} -> {}", self.call(&late.call), text(&late.call, &result))
            }
            Action::Deadline(index) => format!("{}  answers 503 at its deadline", self.name(*index)),
            Action::Crash(index) => format!("{}  is killed and restarts", self.name(*index)),
            Action::Terminate(name) => format!("-  {name} becomes terminal"),
            Action::Delete(name) | Action::DeleteTerminal(name) => format!("-  {name} is deleted"),
            Action::ForeignWrite(name) => format!("-  another controller writes to {name}"),
            Action::ForeignRr => "-  somebody else creates an RR".to_owned(),
            Action::StartRrGc(name) => format!("-  RR GC begins with {name}"),
            Action::StartClaimGc(_) => "-  claim GC begins".to_owned(),
            Action::GcStep => self.gc_step(),
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
            ApiCall::GetRr { name, .. } => format!("GET {name}"),
            ApiCall::CreateRr { name, .. } => format!("CREATE {name}"),
            ApiCall::Count { rr, count } => format!("write count {count} to {}", rr.name),
            ApiCall::DeleteRr { rr } => format!("DELETE {}", rr.name),
        }
    }

    fn result_of(&self, index: usize) -> String {
        let mut server = self.world.server.clone();
        let replica = &self.world.replicas[index];
        replica.call().map(|call| text(call, &server.execute(replica.identity(), call))).unwrap_or_default()
    }

    fn gc_step(&self) -> String {
        let Some(gc) = &self.world.gc else { return String::new() };
        let name = match gc {
            GcRun::Rr(..) => "RR GC",
            GcRun::Claim(..) => "claim GC",
        };
        let result = self.world.server.clone().execute(&Arc::from(""), gc.call());
        format!("-  {name}: {} -> {}", self.call(gc.call()), text(gc.call(), &result))
    }
}

/// The intent of a claim. A plain lock names no RR.
fn intent(name: &str, created: bool) -> String {
    match (name, created) {
        ("", _) => String::new(),
        (name, true) => format!(" ({name}, created)"),
        (name, false) => format!(" ({name}, open)"),
    }
}

fn text(call: &ApiCall, result: &ApiResult) -> String {
    match result {
        ApiResult::Missing if matches!(call, ApiCall::FindRr { .. }) => "none".to_owned(),
        ApiResult::Claim(Claim { fields, .. }) => format!("ok{}", intent(&fields.intent, fields.created)),
        ApiResult::Rr(seen) => rr(seen),
        ApiResult::Deleted => "ok".to_owned(),
        ApiResult::Missing | ApiResult::Gone => "404".to_owned(),
        ApiResult::Conflict => "409".to_owned(),
        ApiResult::Unknown => "no response".to_owned(),
        ApiResult::Elapsed => String::new(),
    }
}

fn rr(rr: &Rr) -> String {
    let phase = if rr.phase == Phase::Active { "active" } else { "terminal" };
    format!("{} ({phase}, count {})", rr.name, rr.count)
}
