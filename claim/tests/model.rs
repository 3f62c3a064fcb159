//! The claim protocol under a model checker: stateright explores every interleaving of the very code that the sidecar
//! runs, against an API server with linearizable compare-and-swap, within the bounds that each test states.

mod model {
    pub(crate) mod action;
    pub(crate) mod replica;
    pub(crate) mod server;
    pub(crate) mod world;
}

use model::world::{Bounds, World};
use stateright::{Checker, Expectation, Model};

/// Explores all states and compares their number with the one written down, so that a change of the protocol or of the
/// model is noticed. Two threads: the machine that runs the tests has two cores.
fn explore(bounds: Bounds, expected_states: usize) {
    let checker = bounds.clone().checker().threads(2).spawn_bfs().join();
    for property in World::properties_of(&bounds) {
        let found = checker.discovery(property.name);
        match property.expectation {
            Expectation::Sometimes => assert!(found.is_some(), "never seen: {}", property.name),
            _ => assert!(found.is_none(), "{}: violated by\n{}", property.name, timeline(found)),
        }
    }
    println!("{bounds:?}: {} states", checker.unique_state_count());
    assert_eq!(checker.unique_state_count(), expected_states, "the protocol or its model has changed");
}

/// A path as one line an action: what happened, in order.
fn timeline(path: Option<stateright::Path<World, model::action::Action>>) -> String {
    let actions = path.map(stateright::Path::into_actions).unwrap_or_default();
    actions.iter().enumerate().map(|(step, action)| format!("{:>3}. {action:?}\n", step + 1)).collect()
}

#[test]
fn two_replicas_and_two_signals_stay_exact_through_a_lost_answer_a_crash_an_end_and_a_deletion() {
    let bounds = Bounds { signals: 2, losses: 1, crashes: 1, ends: 1, deletions: 1, ..Bounds::two_replicas() };
    explore(bounds, 9_265_046);
}

#[test]
fn a_commit_dropped_at_its_deadline_and_a_foreign_status_write_harm_nothing() {
    let bounds = Bounds { signals: 2, deadlines: 1, ends: 1, deletions: 1, touches: 1, ..Bounds::two_replicas() };
    explore(bounds, 4_445_215);
}

#[test]
fn rrs_that_others_create_are_adopted_and_never_counted_beside_one_of_ours() {
    let bounds = Bounds { signals: 2, ends: 1, deletions: 1, intrusions: 1, ..Bounds::two_replicas() };
    explore(bounds, 2_004_878);
}

#[test]
fn the_reaper_removes_nothing_that_is_needed() {
    let bounds = Bounds { signals: 2, losses: 1, crashes: 1, deletions: 1, reaps: 1, ..Bounds::two_replicas() };
    explore(bounds, 2_582_979);
}

#[test]
fn the_sweeper_removes_nothing_that_is_needed() {
    let bounds = Bounds { signals: 2, ends: 1, deletions: 1, sweeps: 1, ..Bounds::two_replicas() };
    explore(bounds, 3_614_515);
}
