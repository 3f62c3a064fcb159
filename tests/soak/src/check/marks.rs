//! Attempts that carry one id, as the filter gives them to the parts of a webhook and of its retries: a replica that has counted an
//! attempt acknowledges a later one for it, without counting it again.

use std::collections::HashMap;

use crate::history::{Attempt, History, Micros};

/// For each attempt, since when what it is acknowledged for may have been counted: since its own start, or since that of an
/// ambiguous attempt before it with the same id.
pub(super) fn counted_since(history: &History) -> Vec<Micros> {
    let mut first = HashMap::<u64, Micros>::new();
    for attempt in history.attempts.iter().filter(|attempt| attempt.marked && attempt.observation.is_ambiguous()) {
        let since = first.entry(attempt.signal).or_insert(attempt.start);
        *since = attempt.start.min(*since);
    }
    let since = |attempt: &Attempt| match first.get(&attempt.signal) {
        Some(first) if attempt.marked => attempt.start.min(*first),
        _ => attempt.start,
    };
    history.attempts.iter().map(since).collect()
}
