//! The parts of webhooks that this replica has counted, so that a retry of a webhook does not count them again. The filter splits a
//! webhook into one part an incident, and sends it again as a whole if one of them fails; it gives all attempts one id, until one is
//! acknowledged. A part that is forgotten, or that another replica counted, is counted again.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use onceway_signal::{Digest, Fingerprint};
use tokio::time::Instant;

use crate::incident::Counted;

/// Parts that are remembered, each of about 300 bytes; the oldest give way.
const MAX_PARTS: usize = 50_000;

/// How long: senders give a webhook up within minutes.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// One incident's part of a webhook: the webhook's id, and the incident.
pub(super) type Part = (Digest, Fingerprint);

/// The parts that were counted.
#[derive(Debug, Default)]
pub(super) struct CountedParts(Mutex<Parts>);

#[derive(Debug, Default)]
struct Parts {
    counted: HashMap<Part, Counted>,
    /// In the order in which they were counted.
    order: VecDeque<(Instant, Part)>,
}

impl CountedParts {
    /// What became of a part that was counted before: nothing is created for it again.
    pub(super) fn find(&self, part: &Part) -> Option<Counted> {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.forget_old();
        parts.counted.get(part).map(|counted| Counted { created: false, ..counted.clone() })
    }

    /// A part was counted.
    pub(super) fn remember(&self, part: Part, counted: &Counted) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.order.len() >= MAX_PARTS {
            parts.forget_oldest();
        }
        if let Entry::Vacant(place) = parts.counted.entry(part) {
            place.insert(counted.clone());
            parts.order.push_back((Instant::now(), part));
        }
    }
}

impl Parts {
    fn forget_old(&mut self) {
        while self.order.front().is_some_and(|(counted, _)| counted.elapsed() > MAX_AGE) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, part)) = self.order.pop_front() {
            self.counted.remove(&part);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use onceway_signal::{Digest, Fingerprint};
    use tokio::time::{Duration, advance};

    use super::{CountedParts, MAX_AGE, MAX_PARTS, Part};
    use crate::incident::Counted;

    fn part(webhook: usize, incident: u8) -> Part {
        let fingerprint: Fingerprint = format!("{incident:02x}").repeat(32).parse().unwrap();
        (Digest::of([&webhook.to_be_bytes()]), fingerprint)
    }

    fn counted(count: u32) -> Counted {
        let (first_seen, last_seen) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        Counted { created: true, name: "rr".into(), namespace: "ns".into(), count, first_seen, last_seen }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_known_by_its_webhook_and_its_incident_and_creates_nothing_again() {
        let parts = CountedParts::default();
        parts.remember(part(1, 1), &counted(7));
        assert_eq!(parts.find(&part(1, 1)), Some(Counted { created: false, ..counted(7) }));
        assert_eq!((parts.find(&part(1, 2)), parts.find(&part(2, 1))), (None, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_forgotten_after_five_minutes() {
        let parts = CountedParts::default();
        parts.remember(part(1, 1), &counted(1));
        advance(MAX_AGE).await;
        assert!(parts.find(&part(1, 1)).is_some());
        // Counted again by an attempt without memory; the first count is the one that is old.
        parts.remember(part(1, 1), &counted(2));
        advance(Duration::from_millis(1)).await;
        assert_eq!(parts.find(&part(1, 1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_part_gives_way_to_the_newest() {
        let parts = CountedParts::default();
        for webhook in 0..=MAX_PARTS {
            parts.remember(part(webhook, 1), &counted(1));
        }
        assert!(parts.find(&part(0, 1)).is_none() && parts.find(&part(1, 1)).is_some());
        assert!(parts.find(&part(MAX_PARTS, 1)).is_some());
        assert_eq!(parts.0.lock().unwrap().counted.len(), MAX_PARTS);
    }
}
