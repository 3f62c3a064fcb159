//! What is claimed: what always holds, and what must be seen to happen at times, so that the runs are known to reach it.

use onceway_claim::{ApiCall, ApiResult, Stage};
use stateright::Property;

use crate::bounds::Bounds;
use crate::protocol::Protocol;
use crate::replica::{Pace, Replica};
use crate::world::World;

type Law = Property<Bounds>;

/// Two incidents' worth of repairs: what Onceway is there to prevent.
pub const ONE_COUNTED: &str = "at most one active RR has a count";
/// The same without a deletion, which is more: no second RR even without a count.
pub const ONE_RR: &str = "at most one RR of ours is active";
/// acknowledged <= counted <= attempts, signal by signal.
pub const EXACT: &str = "an acknowledged signal is counted, and none is counted twice";

/// The properties that a run within `bounds` is held to.
pub(crate) fn properties(bounds: &Bounds) -> Vec<Law> {
    let mut laws = safety(bounds);
    if bounds.protocol == Protocol::Claim {
        laws.extend(promises());
        laws.extend(sights(bounds));
    }
    laws
}

/// What nobody may ever see broken.
fn safety(bounds: &Bounds) -> Vec<Law> {
    let mut laws = vec![
        Law::always(ONE_COUNTED, |_, world| world.active_with_count() <= 1),
        Law::always(EXACT, |_, world| world.ledger.entries().iter().all(|entry| entry.is_exact())),
        Law::always("the RRs say how many signals were counted", |_, world| {
            world.server.counted() == world.ledger.counted()
        }),
        Law::always("nothing is counted in an RR that has ended", |_, world| !world.server.counted_in_ended()),
    ];
    if bounds.deletions + bounds.burials == 0 {
        laws.push(Law::always(ONE_RR, |_, world| world.ours().count() <= 1));
    }
    laws
}

/// What the claim protocol promises beyond.
fn promises() -> Vec<Law> {
    vec![
        Law::always("RRs of old names are no more than deletions", |bounds, world| {
            world.zombies().count() <= spent(bounds, world, |bounds| bounds.deletions + bounds.burials)
        }),
        Law::always(
            "an RR of an old name is removed by its creator, unless it died, heard nothing or was beaten to a write",
            |bounds, world| {
                let unheard =
                    spent(bounds, world, |bounds| bounds.losses + bounds.crashes + bounds.deadlines + bounds.touches);
                !world.is_at_rest() || world.zombies().count() <= unheard
            },
        ),
        Law::always("from every state one replica alone finishes", |_, world| world.each_finishes_alone()),
    ]
}

/// What is seen to happen.
fn sights(bounds: &Bounds) -> Vec<Law> {
    let mut laws = vec![
        Law::sometimes("all signals are acknowledged", |bounds, world| {
            let acknowledged = world.ledger.entries().iter().filter(|entry| entry.acknowledged);
            acknowledged.count() == usize::from(bounds.signals)
        }),
        Law::sometimes("a replica waits for a claim's holder", |_, world| world.is_at(Stage::AwaitHolder)),
        Law::sometimes("help: the claim of another is taken over for the same name", |_, world| helps(world)),
        Law::sometimes("conflict: a count meets another's", |_, world| {
            world.is_about_to(|call, _| match call {
                ApiCall::Count { rr, .. } => world.server.rr(&rr.name).is_some_and(|held| held.version != rr.version),
                _ => false,
            })
        }),
        Law::sometimes("a create is fenced", |_, world| world.is_at(Stage::Fence)),
    ];
    let mut also = |wanted: bool, name, condition: fn(&Bounds, &World) -> bool| {
        if wanted {
            laws.push(Law::sometimes(name, condition));
        }
    };
    let goes = bounds.deletions + bounds.burials > 0;
    also(bounds.ends > 0 || bounds.deletions > 0, "takeover: another replica begins the next incident", |_, world| {
        succeeds(world)
    });
    also(goes, "a late RR is removed by its creator", |_, world| world.is_at(Stage::Discard));
    also(bounds.losses > 0, "doubt resolved: the write is made again", |_, world| doubts(world, true));
    let moves = bounds.ends + bounds.touches > 0;
    also(bounds.losses > 0 && moves, "doubt resolved: it cannot happen any more", |_, world| doubts(world, false));
    also(bounds.intrusions > 0, "adoption: an RR that others made is named by the claim", |_, world| {
        world.is_at(Stage::Adopt)
    });
    also(bounds.reaps > 0 && goes, "an RR is reaped", |_, world| {
        world.tidies(|call| matches!(call, ApiCall::DeleteRr { .. }))
    });
    also(bounds.sweeps > 0, "a claim is swept", |_, world| {
        world.tidies(|call| matches!(call, ApiCall::DeleteClaim { .. }))
    });
    laws
}

/// How much of a bound is used up.
fn spent(bounds: &Bounds, world: &World, of: impl Fn(&Bounds) -> u8) -> usize {
    usize::from(of(bounds) - of(&world.left))
}

/// An open claim is about to go to another holder.
fn helps(world: &World) -> bool {
    takes(world, |held, wanted| held == wanted)
}

/// A claim whose RR is over is about to go to another holder.
fn succeeds(world: &World) -> bool {
    takes(world, |held, wanted| held != wanted)
}

fn takes(world: &World, intents: impl Fn(&str, &str) -> bool) -> bool {
    let Some(claim) = world.server.claim() else { return false };
    world.is_about_to(|call, replica| match call {
        ApiCall::UpdateClaim { version, fields } => {
            *version == claim.version
                && fields.holder == *replica.identity()
                && fields.transitions > claim.fields.transitions
                && intents(&claim.fields.intent, &fields.intent)
        }
        _ => false,
    })
}

/// A count in doubt is about to be settled: by the same write again, or by a look at an RR that has moved on without it.
fn doubts(world: &World, again: bool) -> bool {
    world.replicas.iter().any(|replica| match (replica.stage(), replica.call()) {
        (Some(Stage::Doubt), Some(ApiCall::Count { rr, .. })) => {
            again && world.server.rr(&rr.name).is_some_and(|held| held.version == rr.version)
        }
        (Some(Stage::Doubt), Some(read)) => {
            !again && restarts(replica, world.server.clone().execute(replica.identity(), read))
        }
        _ => false,
    })
}

/// Whether the answer has it start over, and count its signals anew.
fn restarts(replica: &Replica, answer: ApiResult) -> bool {
    let mut replica = replica.clone();
    replica.resume(answer, Pace::Prompt);
    replica.stage() == Some(Stage::ReadClaim)
}
