//! Runs the checker.

use std::thread;
use std::time::Duration;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::bounds::Bounds;
use crate::timeline::timeline;

/// The interval of progress reports.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// The result of an exploration.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How many states there are.
    pub states: usize,
    /// The number of actions on the longest explored path.
    pub depth: usize,
    /// Properties that are violated (with the shortest timeline to a violation) or never seen.
    pub failures: Vec<String>,
}

/// Explores every state within the bounds, depth first, which needs little memory. `progress` gets the number of states
/// so far.
pub fn explore(bounds: &Bounds, threads: usize, mut progress: impl FnMut(usize)) -> Explored {
    let checker = bounds.clone().checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_dfs();
    while !checker.is_done() {
        progress(checker.unique_state_count());
        thread::sleep(PROGRESS_EVERY);
    }
    let checker = checker.join();
    let mut failures = Vec::new();
    for property in bounds.properties() {
        let found = checker.discovery(property.name).is_some();
        match property.expectation {
            Expectation::Sometimes if !found => failures.push(format!("never seen: {}", property.name)),
            Expectation::Always if found => {
                let timeline = counterexample(bounds, property.name).unwrap_or_default();
                failures.push(format!("violated: {}\n{timeline}", property.name));
            }
            _ => {}
        }
    }
    Explored { states: checker.unique_state_count(), depth: checker.max_depth(), failures }
}

/// The timeline of a shortest path to a state in which `property` does not hold; `None` if it always holds.
#[must_use]
pub fn counterexample(bounds: &Bounds, property: &'static str) -> Option<String> {
    // The checker continues for a while after its first discovery and keeps the last one. The depth limit excludes
    // longer ones.
    for depth in 2.. {
        // One thread: of several shortest paths always the same one.
        let checker = bounds.clone().checker().threads(1).target_max_depth(depth);
        let checker = checker.finish_when(HasDiscoveries::AnyOf([property].into())).spawn_bfs().join();
        if let Some(path) = checker.discovery(property) {
            return Some(timeline(bounds, path));
        }
        if checker.max_depth() < depth {
            return None;
        }
    }
    None
}
