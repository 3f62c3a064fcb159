//! The checked properties: what holds in every state, and what some state must show, so that the runs are known to
//! reach it.

use onceway_claim::{ApiCall, ApiResult, Stage};
use stateright::Property;

use crate::bounds::Bounds;
use crate::protocol::Protocol;
use crate::replica::{Pace, Replica};
use crate::world::World;

type Check = Property<Bounds>;

/// Two counted RRs would start two remediations of one incident, which Onceway exists to prevent.
pub const ONE_COUNTED: &str = "at most one active RR has a count";
/// Stronger, for runs without deletions: no second RR even without a count.
pub const ONE_RR: &str = "at most one RR created by a replica is active";
/// acknowledged <= counted <= attempts, signal by signal.
pub const EXACT: &str = "an acknowledged signal is counted, and none is counted twice";

/// The properties that a run within `bounds` is checked for.
pub(crate) fn properties(bounds: &Bounds) -> Vec<Check> {
    let mut checks = safety(bounds);
    if bounds.protocol == Protocol::Claim {
        checks.extend(guarantees());
        checks.extend(coverage(bounds));
    }
    checks
}

/// What holds in every state of a correct protocol.
fn safety(bounds: &Bounds) -> Vec<Check> {
    let mut checks = vec![
        Check::always(ONE_COUNTED, |_, world| world.active_with_count() <= 1),
        Check::always(EXACT, |_, world| world.ledger.entries().iter().all(|entry| entry.is_exact())),
        Check::always("the RRs' counts add up to the number of counted signals", |_, world| {
            world.server.counted() == world.ledger.counted()
        }),
        Check::always("nothing is counted in a terminal RR", |_, world| !world.server.counted_in_terminal()),
    ];
    if bounds.deletions + bounds.terminal_deletions == 0 {
        checks.push(Check::always(ONE_RR, |_, world| world.active_with_creator().count() <= 1));
    }
    checks
}

/// What the claim protocol guarantees beyond safety.
fn guarantees() -> Vec<Check> {
    vec![
        Check::always("late RRs are no more than deletions", |bounds, world| {
            world.late_rrs().count() <= spent(bounds, world, |bounds| bounds.deletions + bounds.terminal_deletions)
        }),
        Check::always(
            "a late RR is deleted by its creator, unless the creator crashed, timed out, lost a response or met a conflict",
            |bounds, world| {
                let excused = spent(bounds, world, |bounds| {
                    bounds.lost_responses + bounds.crashes + bounds.deadlines + bounds.foreign_writes
                });
                !world.is_at_rest() || world.late_rrs().count() <= excused
            },
        ),
        Check::always("from every state one replica alone finishes", |_, world| world.each_finishes_alone()),
    ]
}

/// What some state must show.
fn coverage(bounds: &Bounds) -> Vec<Check> {
    let mut checks = vec![
        Check::sometimes("all signals are acknowledged", |bounds, world| {
            let acknowledged = world.ledger.entries().iter().filter(|entry| entry.acknowledged);
            acknowledged.count() == usize::from(bounds.signals)
        }),
        Check::sometimes("a replica waits for a claim's holder", |_, world| world.is_at(Stage::AwaitHolder)),
        Check::sometimes("help: another's claim is taken over for the same name", |_, world| {
            is_taking_over(world, |held, wanted| held == wanted)
        }),
        Check::sometimes("conflict: a count meets another's", |_, world| {
            world.is_about_to(|call, _| match call {
                ApiCall::Count { rr, .. } => world.server.rr(&rr.name).is_some_and(|held| held.version != rr.version),
                _ => false,
            })
        }),
        Check::sometimes("a create is fenced", |_, world| world.is_at(Stage::Fence)),
    ];
    let mut check_if = |reachable: bool, name, condition: fn(&Bounds, &World) -> bool| {
        if reachable {
            checks.push(Check::sometimes(name, condition));
        }
    };
    let deletes = bounds.deletions + bounds.terminal_deletions > 0;
    let moves_on = bounds.terminations > 0 || bounds.deletions > 0;
    check_if(moves_on, "takeover: another replica begins the next incident", |_, world| {
        is_taking_over(world, |held, wanted| held != wanted)
    });
    check_if(deletes, "a replica finds an RR gone, and knows that it existed", |_, world| {
        world.is_about_to(|call, _| world.server.is_gone(call))
    });
    check_if(deletes, "a late RR is deleted by its creator", |_, world| world.is_at(Stage::Discard));
    check_if(bounds.lost_responses > 0, "unknown outcome resolved: the write is repeated", |_, world| {
        is_resolving(world, true)
    });
    let changes = bounds.terminations + bounds.foreign_writes > 0;
    check_if(
        bounds.lost_responses > 0 && changes,
        "unknown outcome resolved: the write cannot happen any more",
        |_, world| is_resolving(world, false),
    );
    check_if(bounds.foreign_rrs > 0, "adoption: the claim names an RR created by others", |_, world| {
        world.is_at(Stage::Adopt)
    });
    check_if(bounds.rr_gcs > 0 && deletes, "an RR is collected", |_, world| {
        world.is_collecting(|call| matches!(call, ApiCall::DeleteRr { .. }))
    });
    check_if(bounds.claim_gcs > 0, "a claim is collected", |_, world| {
        world.is_collecting(|call| matches!(call, ApiCall::DeleteClaim { .. }))
    });
    checks
}

/// How much of a bound is used up.
fn spent(bounds: &Bounds, world: &World, of: impl Fn(&Bounds) -> u8) -> usize {
    usize::from(of(bounds) - of(&world.remaining))
}

/// Whether a claim is about to change its holder, its intents before and after as given.
fn is_taking_over(world: &World, intents: impl Fn(&str, &str) -> bool) -> bool {
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

/// Whether a count with an unknown outcome is about to be resolved: by repeating the write (`again`), or by a read that
/// shows that the RR has changed without it.
fn is_resolving(world: &World, again: bool) -> bool {
    world.replicas.iter().any(|replica| match (replica.stage(), replica.call()) {
        (Some(Stage::ResolveOutcome), Some(ApiCall::Count { rr, .. })) => {
            again && world.server.rr(&rr.name).is_some_and(|held| held.version == rr.version)
        }
        (Some(Stage::ResolveOutcome), Some(read)) => {
            !again && restarts(replica, world.server.clone().execute(replica.identity(), read))
        }
        _ => false,
    })
}

/// Whether this result makes the replica start over and count its signals again.
fn restarts(replica: &Replica, result: ApiResult) -> bool {
    let mut replica = replica.clone();
    replica.resume(result, Pace::Prompt);
    replica.stage() == Some(Stage::ReadClaim)
}
