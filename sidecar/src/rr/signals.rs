//! The signal list of an RR (`status.deduplication.signals`): what the signals that it counts were, by name.
//!
//! A list has a bounded number of entries and bytes, whatever the senders choose: a replica keeps one per incident in
//! memory, and every count writes it. What exceeds a bound is counted under [`OTHERS`], so the entries' counts add up to
//! the signals that were added.

mod severity;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use onceway_claim::{Rr, SeenSignal};
use onceway_signal::limits::MAX_SIGNAL_NAME;
use onceway_signal::truncate::{truncate_bytes, truncated};

use self::severity::is_higher;
use super::resource::{DeduplicatedSignal, MAX_SIGNAL_NAMES, OTHERS};
use super::time::{timestamp, unix_ms};

/// The names of a list together, in bytes: 20 of 100 bytes, or two of the longest.
const MAX_NAMES_BYTES: usize = 2 * 1024;
/// A severity in a list, in bytes; a longer one is truncated.
const MAX_SEVERITY_BYTES: usize = 50;

/// Signals by name, in the order of first appearance; each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalList(Vec<SeenSignal>);

impl SignalList {
    /// The list of an RR, as it was read.
    pub fn of(rr: &Rr) -> Self {
        Self(rr.signals.to_vec())
    }

    /// A stored list, of an RR that counts `counted` signals. Empty if it is not one of ours: a list that cannot be
    /// written again would make every count fail, and one that exceeds the count is not about the same signals.
    pub(super) fn of_stored(stored: &[DeduplicatedSignal], counted: u32) -> Self {
        let mut list = Self::default();
        for signal in stored {
            let Some(count) = count_of(signal) else { return Self::default() };
            list.count(&signal.name, count, &signal.severity, unix_ms(signal.last_seen_at.0));
        }
        if list.total() > u64::from(counted) { Self::default() } else { list }
    }

    /// Adds one signal.
    pub fn add(&mut self, name: &str, severity: &str, received: Timestamp) {
        self.count(name, 1, severity, unix_ms(received));
    }

    /// Adds the signals of another list.
    pub fn merge(&mut self, other: &Self) {
        for signal in &other.0 {
            self.count(&signal.name, signal.count, &signal.severity, signal.last_seen_ms);
        }
    }

    /// The number of signals.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|signal| u64::from(signal.count)).sum()
    }

    /// Each name with its count; no name: the signals that have no entry of their own.
    pub fn counts(&self) -> impl Iterator<Item = (Option<&str>, u32)> {
        self.0.iter().map(|signal| (Some(&*signal.name).filter(|name| *name != OTHERS), signal.count))
    }

    /// The entries as they are stored.
    pub fn stored(&self) -> Vec<DeduplicatedSignal> {
        self.0.iter().map(DeduplicatedSignal::from).collect()
    }

    /// Allocates only for a name that the list does not have yet, and for a severity that is higher: a storm is thousands of
    /// signals of a few names.
    fn count(&mut self, name: &str, count: u32, severity: &str, last_seen_ms: u64) {
        let severity = truncate_bytes(severity, MAX_SEVERITY_BYTES);
        let name = if self.has(name) || self.has_room_for(name) { name } else { OTHERS };
        let Some(seen) = self.0.iter_mut().find(|seen| *seen.name == *name) else {
            return self.0.push(SeenSignal { name: name.into(), count, severity: severity.into(), last_seen_ms });
        };
        seen.count = seen.count.saturating_add(count);
        seen.last_seen_ms = seen.last_seen_ms.max(last_seen_ms);
        if is_higher(severity, &seen.severity) {
            seen.severity = severity.into();
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|seen| *seen.name == *name)
    }

    fn has_room_for(&self, name: &str) -> bool {
        let names = || self.0.iter().map(|seen| &*seen.name).filter(|name| *name != OTHERS);
        names().count() < MAX_SIGNAL_NAMES && names().map(str::len).sum::<usize>() + name.len() <= MAX_NAMES_BYTES
    }
}

impl From<SignalList> for Arc<[SeenSignal]> {
    fn from(list: SignalList) -> Self {
        list.0.into()
    }
}

impl From<&SeenSignal> for DeduplicatedSignal {
    fn from(seen: &SeenSignal) -> Self {
        Self {
            name: seen.name.to_string(),
            count: i32::try_from(seen.count).unwrap_or(i32::MAX),
            severity: seen.severity.to_string(),
            last_seen_at: Time(timestamp(seen.last_seen_ms).unwrap_or(Timestamp::MAX)),
        }
    }
}

/// The count of a stored entry; `None` if no decoder accepts its name or nothing is counted.
fn count_of(signal: &DeduplicatedSignal) -> Option<u32> {
    let is_name = !signal.name.is_empty() && truncated(&signal.name, MAX_SIGNAL_NAME).is_none();
    u32::try_from(signal.count).ok().filter(|count| is_name && *count > 0)
}

#[cfg(test)]
mod tests;
