//! The claim protocol holds in every state, and the model finds how each simpler protocol fails.

use onceway_model::catalogue::{failing, quick};
use onceway_model::{counterexample, explore};

/// Two threads: the machine that runs the tests has two cores.
const THREADS: usize = 2;
const PROTOCOL_PAGE: &str = include_str!("../../../docs/protocol.md");

#[test]
fn the_claim_protocol_holds_in_every_state_and_the_number_of_states_is_as_recorded() {
    for run in quick() {
        let explored = explore(&run.bounds, THREADS, |_| {});
        println!("{}: {} states", run.name, explored.states);
        assert!(explored.failures.is_empty(), "{}:\n{}", run.name, explored.failures.join("\n"));
        assert_eq!(Some(explored.states), run.states, "{}: the protocol or its model has changed", run.name);
    }
}

#[test]
fn every_simpler_protocol_fails_as_docs_protocol_shows() {
    for protocol in failing() {
        let timeline = counterexample(&protocol.bounds, protocol.violates);
        let timeline = timeline.unwrap_or_else(|| panic!("{} does not fail", protocol.name));
        assert!(
            PROTOCOL_PAGE.contains(&timeline),
            "docs/protocol.md does not show how {} fails:\n{timeline}",
            protocol.name
        );
    }
}
