//! The whole: replicas, API server, calls that are late, and how much may still go wrong.

mod alone;
mod apply;
mod choices;
mod hash;

pub use self::alone::ALONE_CALLS;

use std::sync::Arc;

use onceway_claim::{ApiCall, Rr, Stage};
use stateright::Model;

use crate::action::Action;
use crate::bounds::Bounds;
use crate::chore::Chore;
use crate::ledger::Ledger;
use crate::property::properties;
use crate::replica::Replica;
use crate::server::Server;

/// A call that nobody waits for any more and that may still be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    pub(crate) author: Arc<str>,
    pub(crate) call: ApiCall,
    /// What it counts, if it does.
    pub(crate) signals: Vec<usize>,
}

impl Late {
    /// Keeps only what the call can make a difference by.
    fn new(author: &Arc<str>, call: ApiCall, signals: &[usize]) -> Self {
        let author = if matches!(call, ApiCall::CreateRr { .. }) { Arc::clone(author) } else { Arc::from("") };
        let signals = if matches!(call, ApiCall::Count { .. }) { signals.to_vec() } else { Vec::new() };
        Self { author, call, signals }
    }
}

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub(crate) server: Server,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) late: Vec<Late>,
    pub(crate) chore: Option<Chore>,
    pub(crate) ledger: Ledger,
    /// What may still happen.
    pub(crate) left: Bounds,
}

impl World {
    fn new(bounds: &Bounds) -> Self {
        let process = |index| if bounds.one_process { 0 } else { index };
        let clocks = bounds.clocks_s.iter().enumerate();
        let replicas = clocks.map(|(index, clock)| Replica::new(bounds.protocol, index, process(index), *clock));
        Self {
            server: Server::new(bounds.protocol.releases_blindly()),
            replicas: replicas.collect(),
            late: Vec::new(),
            chore: None,
            ledger: Ledger::default(),
            left: Bounds { clocks_s: Vec::new(), ..bounds.clone() },
        }
    }

    /// The active RRs of ours in which signals are counted. RRs of others are theirs to keep single.
    pub(crate) fn active_with_count(&self) -> usize {
        self.server.active().filter(|rr| rr.count > 0).count()
    }

    /// The active RRs that a replica made.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Rr> {
        self.server.active().filter(|rr| !rr.creator.is_empty())
    }

    /// The active RRs of ours that came too late: without a count, and no claim names them.
    pub(crate) fn zombies(&self) -> impl Iterator<Item = &Rr> {
        let intent = self.server.claim().map(|claim| &claim.fields.intent);
        self.ours().filter(move |rr| rr.count == 0 && Some(&rr.name) != intent)
    }

    /// Whether nobody is at work and nothing is under way.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.late.is_empty() && self.chore.is_none() && self.replicas.iter().all(|replica| replica.work.is_none())
    }

    /// Whether a commit stands there.
    pub(crate) fn is_at(&self, stage: Stage) -> bool {
        self.replicas.iter().any(|replica| replica.stage() == Some(stage))
    }

    /// Whether somebody is about to make this call.
    pub(crate) fn is_about_to(&self, what: impl Fn(&ApiCall, &Replica) -> bool) -> bool {
        self.replicas.iter().any(|replica| replica.call().is_some_and(|call| what(call, replica)))
    }

    /// Whether somebody who tidies up is about to delete, and will succeed.
    pub(crate) fn tidies(&self, what: impl Fn(&ApiCall) -> bool) -> bool {
        let call = self.chore.as_ref().map(Chore::call);
        call.is_some_and(|call| what(call) && self.server.may_still_act(call, true))
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        world.choices(actions);
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.apply(action);
        Some(next)
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        properties(self)
    }
}
