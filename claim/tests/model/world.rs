//! The whole model: replicas, API server, calls that are late, and how much may still go wrong.

use std::sync::Arc;

use onceway_claim::{Answer, Call, Outcome, Phase, Reap, Stage, Sweep, Tidy};
use stateright::{Model, Property};

use super::action::Action;
use super::replica::{Pace, Replica};
use super::server::Server;

/// From any state one replica alone must finish within this many calls.
const ALONE_CALLS: usize = 16;

/// How much happens in a run: the bounds of what is explored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    /// Wall clock of each replica, in Unix seconds.
    pub(crate) clocks_s: Vec<u64>,
    /// Signals that reach any replica.
    pub(crate) signals: u8,
    /// Calls whose answer is lost, each executed at any later time or never.
    pub(crate) losses: u8,
    /// Commits that end at their deadline.
    pub(crate) deadlines: u8,
    /// Crashes with restart.
    pub(crate) crashes: u8,
    /// RRs that turn terminal.
    pub(crate) ends: u8,
    /// RRs that are deleted, in any phase.
    pub(crate) deletions: u8,
    /// Status writes by other controllers.
    pub(crate) touches: u8,
    /// RRs that somebody else creates.
    pub(crate) intrusions: u8,
    /// RRs that are looked at by a reaper.
    pub(crate) reaps: u8,
    /// Claims that are looked at by a sweeper.
    pub(crate) sweeps: u8,
}

impl Bounds {
    /// Two replicas whose wall clocks differ, and nothing that happens.
    pub(crate) fn two_replicas() -> Self {
        Self { clocks_s: vec![100, 101], ..Self::default() }
    }
}

/// Somebody who tidies up, and the call that he has under way. It may be executed at any later time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Chore {
    Reap(Reap, Call),
    Sweep(Sweep, Call),
}

impl Chore {
    fn call(&self) -> &Call {
        let (Self::Reap(_, call) | Self::Sweep(_, call)) = self;
        call
    }

    /// What is to be done next, if it is not over.
    fn resume(self, answer: Answer) -> Option<Self> {
        match self {
            Self::Reap(mut reap, _) => match reap.resume(answer) {
                Tidy::Call(call) => Some(Self::Reap(reap, call)),
                Tidy::Over(_) => None,
            },
            Self::Sweep(mut sweep, _) => match sweep.resume(answer) {
                Tidy::Call(call) => Some(Self::Sweep(sweep, call)),
                Tidy::Over(_) => None,
            },
        }
    }
}

/// A state of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    server: Server,
    replicas: Vec<Replica>,
    /// Calls that may still be executed, with their authors.
    late: Vec<(Arc<str>, Call)>,
    chore: Option<Chore>,
    left: Bounds,
    attempts: u32,
    acknowledged: u32,
}

impl World {
    fn new(bounds: &Bounds) -> Self {
        let replicas = bounds.clocks_s.iter().enumerate().map(|(index, clock)| Replica::new(index, *clock)).collect();
        let left = Bounds { clocks_s: Vec::new(), ..bounds.clone() };
        Self { server: Server::default(), replicas, late: Vec::new(), chore: None, left, attempts: 0, acknowledged: 0 }
    }

    /// The properties that a run within `bounds` is held to.
    pub(crate) fn properties_of(bounds: &Bounds) -> Vec<Property<Bounds>> {
        bounds.properties()
    }

    fn answer(&mut self, index: usize, pace: Pace) {
        let replica = &mut self.replicas[index];
        let Some(call) = replica.call().cloned() else { return };
        let answer = self.server.execute(replica.identity(), &call);
        self.resume(index, answer, pace);
    }

    fn resume(&mut self, index: usize, answer: Answer, pace: Pace) {
        let replica = &mut self.replicas[index];
        let Some(done) = replica.resume(answer, pace) else { return };
        self.acknowledged += u32::from(matches!(done.outcome, Outcome::Counted { .. }));
        let author = Arc::clone(replica.identity());
        self.delay(author, done.aftermath);
    }

    fn delay(&mut self, author: Arc<str>, call: Option<Call>) {
        self.late.extend(call.map(|call| (author, call)));
    }

    /// Drops what can no longer make a difference, and puts the rest in one order: fewer states, same behaviours.
    fn normalise(&mut self) {
        let may_sweep = self.left.sweeps > 0 || matches!(self.chore, Some(Chore::Sweep(..)));
        self.late.retain(|(_, call)| self.server.may_still_act(call, may_sweep));
        self.late.sort_by_cached_key(|late| format!("{late:?}"));
    }

    fn active_with_count(&self) -> usize {
        self.server.rrs().filter(|rr| rr.phase == Phase::Active && rr.count > 0).count()
    }

    /// Whether somebody who tidies up is about to delete, and will succeed.
    fn deletes(&self, what: impl Fn(&Call) -> bool) -> bool {
        let call = self.chore.as_ref().map(Chore::call);
        call.is_some_and(|call| what(call) && self.server.may_still_act(call, true))
    }

    fn is_at(&self, stage: Stage) -> bool {
        self.replicas.iter().any(|replica| replica.work.as_ref().is_some_and(|(commit, _)| commit.stage() == stage))
    }

    /// Whether the replica, running alone from here on, finishes its batch (or a new one).
    fn finishes_alone(&self, index: usize) -> bool {
        let mut alone = self.clone();
        if alone.replicas[index].work.is_none() {
            alone.replicas[index].submit();
        }
        for _ in 0..ALONE_CALLS {
            if alone.replicas[index].waits() {
                alone.resume(index, Answer::Elapsed, Pace::Prompt);
            }
            let pace = alone.replicas[index].paces()[0];
            alone.answer(index, pace);
            if alone.replicas[index].work.is_none() {
                return true;
            }
        }
        false
    }

    fn replica_actions(&self, index: usize, actions: &mut Vec<Action>) {
        let replica = &self.replicas[index];
        if replica.work.is_none() {
            if self.left.signals > 0 {
                actions.push(Action::Submit(index));
            }
            return;
        }
        if replica.waits() {
            actions.push(Action::Elapse(index));
        } else if let Some(Call::FindRr { except }) = replica.call() {
            actions.push(Action::Find(index, None));
            actions
                .extend(self.server.found(except.as_ref()).map(|rr| Action::Find(index, Some(Arc::clone(&rr.name)))));
        } else {
            actions.extend(replica.paces().iter().map(|pace| Action::Answer(index, *pace)));
            if self.left.losses > 0 {
                actions.push(Action::Lose(index));
            }
        }
        if self.left.deadlines > 0 {
            actions.push(Action::GiveUp(index));
        }
        if self.left.crashes > 0 {
            actions.push(Action::Crash(index));
        }
    }

    fn rr_actions(&self, actions: &mut Vec<Action>) {
        for rr in self.server.rrs() {
            if self.left.ends > 0 && rr.phase == Phase::Active {
                actions.push(Action::End(Arc::clone(&rr.name)));
            }
            if self.left.deletions > 0 {
                actions.push(Action::Delete(Arc::clone(&rr.name)));
            }
            if self.left.touches > 0 {
                actions.push(Action::Touch(Arc::clone(&rr.name)));
            }
        }
    }

    fn chore_actions(&self, actions: &mut Vec<Action>) {
        if self.chore.is_some() {
            actions.push(Action::Tidy);
            return;
        }
        if self.left.reaps > 0 {
            let uncounted = self.server.active().filter(|rr| rr.count == 0);
            actions.extend(uncounted.map(|rr| Action::Reap(Arc::clone(&rr.name))));
        }
        if self.left.sweeps > 0 && self.server.claim().is_some() {
            actions.push(Action::Sweep(false));
            // Within the hour that a claim must stand unchanged, whoever could create under it has done so or given up.
            if self.late.is_empty() && self.replicas.iter().all(|replica| replica.work.is_none()) {
                actions.push(Action::Sweep(true));
            }
        }
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Find(index, found) => {
                let rr = self.server.active().find(|rr| Some(&rr.name) == found.as_ref()).cloned();
                self.resume(index, rr.map_or(Answer::Missing, Answer::Rr), Pace::Prompt);
            }
            Action::Intrude => {
                self.left.intrusions -= 1;
                self.server.intrude();
            }
            Action::Reap(name) => {
                self.left.reaps -= 1;
                let (reap, call) = Reap::begin(name);
                self.chore = Some(Chore::Reap(reap, call));
            }
            Action::Sweep(settled) => {
                self.left.sweeps -= 1;
                let settled = self.server.claim().filter(|_| settled).map(|claim| Arc::clone(&claim.version));
                let (sweep, call) = Sweep::begin(settled);
                self.chore = Some(Chore::Sweep(sweep, call));
            }
            Action::Tidy => {
                let Some(chore) = self.chore.take() else { return };
                let answer = self.server.execute(&Arc::from("tidy"), chore.call());
                self.chore = chore.resume(answer);
            }
            Action::Submit(index) => {
                self.left.signals -= 1;
                self.attempts += 1;
                self.replicas[index].submit();
            }
            Action::Answer(index, pace) => self.answer(index, pace),
            Action::Elapse(index) => self.resume(index, Answer::Elapsed, Pace::Prompt),
            Action::Lose(index) => {
                self.left.losses -= 1;
                let replica = &self.replicas[index];
                let (author, call) = (Arc::clone(replica.identity()), replica.call().cloned());
                self.delay(author, call);
                self.resume(index, Answer::Unknown, Pace::Prompt);
            }
            Action::Execute(place) => {
                let (author, call) = self.late.remove(place);
                self.server.execute(&author, &call);
            }
            Action::GiveUp(index) => {
                self.left.deadlines -= 1;
                self.abandon(index, Replica::give_up);
            }
            Action::Crash(index) => {
                self.left.crashes -= 1;
                self.abandon(index, Replica::crash);
            }
            Action::End(name) => {
                self.left.ends -= 1;
                self.server.end(&name);
            }
            Action::Delete(name) => {
                self.left.deletions -= 1;
                self.server.delete(&name);
                self.replicas.iter_mut().for_each(Replica::observe_deletion);
            }
            Action::Touch(name) => {
                self.left.touches -= 1;
                self.server.touch(&name, |_| {});
            }
        }
    }

    fn abandon(&mut self, index: usize, how: impl FnOnce(&mut Replica) -> Option<Call>) {
        let replica = &mut self.replicas[index];
        let author = Arc::clone(replica.identity());
        let call = how(replica);
        self.delay(author, call);
    }
}

impl Model for Bounds {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::new(self)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        for index in 0..world.replicas.len() {
            world.replica_actions(index, actions);
        }
        actions.extend((0..world.late.len()).map(Action::Execute));
        world.rr_actions(actions);
        world.chore_actions(actions);
        if world.left.intrusions > 0 {
            actions.push(Action::Intrude);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let mut next = world.clone();
        next.apply(action);
        next.normalise();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties: Vec<Property<Self>> = vec![
            Property::always("at most one active RR has a count", |_, world: &World| world.active_with_count() <= 1),
            Property::always("acknowledged <= counted <= attempts", |_, world: &World| {
                world.acknowledged <= world.server.counted() && world.server.counted() <= world.attempts
            }),
            Property::always("nothing is counted in an RR that has ended", |_, world: &World| {
                !world.server.counted_in_ended
            }),
            Property::always("from every state one replica alone finishes", |_, world: &World| {
                (0..world.replicas.len()).all(|index| world.finishes_alone(index))
            }),
            Property::sometimes("a replica waits for a claim's holder", |_, world: &World| {
                world.is_at(Stage::AwaitHolder)
            }),
            Property::sometimes("a create is fenced", |_, world: &World| world.is_at(Stage::Fence)),
            Property::sometimes("a late RR is removed by its creator", |_, world: &World| world.is_at(Stage::Discard)),
            Property::sometimes("all signals are acknowledged", |bounds, world: &World| {
                world.acknowledged == u32::from(bounds.signals)
            }),
        ];
        let mut also = |wanted: bool, name, condition: fn(&Self, &World) -> bool| {
            if wanted {
                properties.push(Property::sometimes(name, condition));
            }
        };
        also(self.losses > 0, "a count is in doubt", |_, world| world.is_at(Stage::Doubt));
        also(self.intrusions > 0, "an RR is adopted", |_, world| world.is_at(Stage::Adopt));
        also(self.reaps > 0, "an RR is reaped", |_, world| world.deletes(|call| matches!(call, Call::DeleteRr { .. })));
        also(self.sweeps > 0, "a claim is swept", |_, world| {
            world.deletes(|call| matches!(call, Call::DeleteClaim { .. }))
        });
        properties
    }
}
