//! Running the checker.

use std::thread;
use std::time::Duration;

use stateright::{Checker, Expectation, HasDiscoveries, Model};

use crate::bounds::Bounds;
use crate::timeline::timeline;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How many states there are.
    pub states: usize,
    /// How many actions the longest path has that was taken.
    pub depth: usize,
    /// What should always hold and does not, or should be seen and never is; with the shortest way there where there is one.
    pub wrong: Vec<String>,
}

/// Explores every state within the bounds, depth first: that needs little memory. `tell` hears how many states there are.
pub fn explore(bounds: &Bounds, threads: usize, mut tell: impl FnMut(usize)) -> Explored {
    let checker = bounds.clone().checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_dfs();
    while !checker.is_done() {
        tell(checker.unique_state_count());
        thread::sleep(TELL_EVERY);
    }
    let checker = checker.join();
    let mut wrong = Vec::new();
    for property in bounds.properties() {
        let found = checker.discovery(property.name).is_some();
        match property.expectation {
            Expectation::Sometimes if !found => wrong.push(format!("never seen: {}", property.name)),
            Expectation::Always if found => {
                let way = counterexample(bounds, property.name).unwrap_or_default();
                wrong.push(format!("violated: {}\n{way}", property.name));
            }
            _ => {}
        }
    }
    Explored { states: checker.unique_state_count(), depth: checker.max_depth(), wrong }
}

/// The shortest way to a state in which `property` does not hold, line by line; `None` if it always holds.
#[must_use]
pub fn counterexample(bounds: &Bounds, property: &'static str) -> Option<String> {
    // The checker goes on for a while after its first find and keeps the last: so it is given no room to find a longer one.
    for depth in 2.. {
        // One thread: of several shortest ways always the same one.
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
