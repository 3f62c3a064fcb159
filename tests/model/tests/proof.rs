//! The claim protocol holds in every state; protocols that are easier are caught.

use onceway_model::catalogue::{quick, wrong};
use onceway_model::{counterexample, explore};

/// Two threads: the machine that runs the tests has two cores.
const THREADS: usize = 2;
const PAPER: &str = include_str!("../../../docs/protocol.md");

#[test]
fn the_claim_protocol_holds_in_every_state_and_there_are_as_many_as_are_written_down() {
    for run in quick() {
        let explored = explore(&run.bounds, THREADS, |_| {});
        println!("{}: {} states", run.name, explored.states);
        assert!(explored.wrong.is_empty(), "{}:\n{}", run.name, explored.wrong.join("\n"));
        assert_eq!(Some(explored.states), run.states, "{}: the protocol or its model has changed", run.name);
    }
}

#[test]
fn every_easier_protocol_is_caught_and_the_paper_shows_how() {
    for wrong in wrong() {
        let timeline = counterexample(&wrong.bounds, wrong.broken);
        let timeline = timeline.unwrap_or_else(|| panic!("{} is not caught", wrong.name));
        assert!(PAPER.contains(&timeline), "docs/protocol.md does not show how {} fails:\n{timeline}", wrong.name);
    }
}
