//! A state of the model: replicas, API server, late calls, and the events that may still happen.

mod alone;
mod apply;
mod choices;
mod hash;

pub use self::alone::ALONE_CALLS;

use std::sync::Arc;

use onceway_claim::{ApiCall, Rr, Stage};

use crate::bounds::Bounds;
use crate::gc::GcRun;
use crate::ledger::Ledger;
use crate::replica::Replica;
use crate::server::Server;

/// A call whose caller no longer waits for it, and that may still be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LateCall {
    pub(crate) author: Arc<str>,
    pub(crate) call: ApiCall,
    /// The signals that it counts.
    pub(crate) signals: Vec<usize>,
}

impl LateCall {
    /// Keeps only what affects the call's effect.
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
    pub(crate) late: Vec<LateCall>,
    pub(crate) gc: Option<GcRun>,
    pub(crate) ledger: Ledger,
    /// The events that may still happen.
    pub(crate) remaining: Bounds,
}

impl World {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let process = |index| if bounds.one_process { 0 } else { index };
        let clocks = bounds.clocks_s.iter().enumerate();
        let replicas = clocks.map(|(index, clock)| Replica::new(bounds.protocol, index, process(index), *clock));
        Self {
            server: Server::new(bounds.protocol.releases_blindly()),
            replicas: replicas.collect(),
            late: Vec::new(),
            gc: None,
            ledger: Ledger::default(),
            remaining: Bounds { clocks_s: Vec::new(), ..bounds.clone() },
        }
    }

    /// The number of active RRs in which signals are counted.
    pub(crate) fn active_with_count(&self) -> usize {
        self.server.active().filter(|rr| rr.count > 0).count()
    }

    /// The active RRs that a replica created.
    pub(crate) fn active_with_creator(&self) -> impl Iterator<Item = &Rr> {
        self.server.active().filter(|rr| !rr.creator.is_empty())
    }

    /// The active RRs that a replica created too late: without a count, and no claim names them.
    pub(crate) fn late_rrs(&self) -> impl Iterator<Item = &Rr> {
        let intent = self.server.claim().map(|claim| &claim.fields.intent);
        self.active_with_creator().filter(move |rr| rr.count == 0 && Some(&rr.name) != intent)
    }

    /// Whether no batch, late call or garbage collection is in flight.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.late.is_empty() && self.gc.is_none() && self.replicas.iter().all(|replica| replica.batch.is_none())
    }

    /// Whether a commit is at this stage.
    pub(crate) fn is_at(&self, stage: Stage) -> bool {
        self.replicas.iter().any(|replica| replica.stage() == Some(stage))
    }

    /// Whether a replica is about to make such a call.
    pub(crate) fn is_about_to(&self, what: impl Fn(&ApiCall, &Replica) -> bool) -> bool {
        self.replicas.iter().any(|replica| replica.call().is_some_and(|call| what(call, replica)))
    }

    /// Whether the garbage collection is about to make such a delete, and will succeed.
    pub(crate) fn is_collecting(&self, what: impl Fn(&ApiCall) -> bool) -> bool {
        let call = self.gc.as_ref().map(GcRun::call);
        call.is_some_and(|call| what(call) && self.server.may_take_effect(call, true))
    }
}
