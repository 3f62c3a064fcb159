//! The parts of webhooks that this replica has counted, so that a retry of a webhook does not count them again. The filter splits a
//! webhook into one part an incident, and sends it again as a whole if one of them fails; it gives all attempts one id, until one is
//! acknowledged. A part that is forgotten, or that another replica counted, is counted again.
//!
//! An attempt may be counted after its sender has left or got its 503. So a part is remembered when it is counted, whoever listens, and
//! another attempt at a part that is in flight waits for that one's end.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onceway_signal::{Digest, Fingerprint};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::incident::Counted;

/// Parts that are remembered, each of about 300 bytes; the oldest give way.
const MAX_PARTS: usize = 50_000;

/// How long: senders give a webhook up within minutes.
const MAX_AGE: Duration = Duration::from_secs(5 * 60);

/// One incident's part of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Part(Digest);

impl Part {
    /// `content`: the signals that are to be counted, as the body has them. Of the same webhook and incident they may be others the next time: an
    /// alert whose date was refused may be valid by then, and filter and sidecar may have other target rules.
    pub(super) fn of(webhook: Digest, fingerprint: Fingerprint, content: &[u8]) -> Self {
        Self(Digest::of([webhook.as_bytes(), fingerprint.as_bytes(), content]))
    }
}

/// The parts that were counted, and those in flight: as many of these as there are submissions.
#[derive(Debug, Default)]
pub(super) struct CountedParts(Mutex<Parts>);

#[derive(Debug, Default)]
struct Parts {
    counted: HashMap<Part, Counted>,
    /// In the order in which they were counted.
    order: VecDeque<(Instant, Part)>,
    in_flight: HashMap<Part, watch::Receiver<()>>,
}

/// What is known of a part.
#[derive(Debug)]
pub(super) enum Known {
    /// It was counted; nothing is created for it again.
    Counted(Counted),
    /// An earlier attempt is in flight.
    InFlight(InFlight),
    /// Nothing: this attempt counts it.
    Nothing(Attempt),
}

/// An attempt of another request.
#[derive(Debug)]
pub(super) struct InFlight(watch::Receiver<()>);

/// An attempt to count a part, until this is dropped.
#[derive(Debug)]
pub(super) struct Attempt {
    parts: Arc<CountedParts>,
    part: Part,
    /// Closed when this is dropped.
    _ended: watch::Sender<()>,
}

impl CountedParts {
    /// What is known of a part. If nothing is, it is in flight from now on.
    pub(super) fn begin(self: &Arc<Self>, part: Part) -> Known {
        let mut parts = self.parts();
        parts.forget_old();
        if let Some(counted) = parts.counted.get(&part) {
            return Known::Counted(Counted { created: false, ..counted.clone() });
        }
        match parts.in_flight.entry(part) {
            Entry::Occupied(attempt) => Known::InFlight(InFlight(attempt.get().clone())),
            Entry::Vacant(place) => {
                let (ended, end) = watch::channel(());
                place.insert(end);
                Known::Nothing(Attempt { parts: Arc::clone(self), part, _ended: ended })
            }
        }
    }

    /// A poisoned lock is usable: each change leaves it consistent.
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InFlight {
    /// Waits until the attempt has ended, counted or not.
    pub(super) async fn ended(mut self) {
        // Nothing is ever sent: an error is the end.
        let _ = self.0.changed().await;
    }
}

impl Attempt {
    /// The part was counted.
    pub(super) fn counted(self, counted: &Counted) {
        let mut parts = self.parts.parts();
        if parts.order.len() >= MAX_PARTS {
            parts.forget_oldest();
        }
        parts.counted.insert(self.part, counted.clone());
        parts.order.push_back((Instant::now(), self.part));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.parts.parts().in_flight.remove(&self.part);
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
    use std::sync::Arc;

    use futures::FutureExt;
    use jiff::Timestamp;
    use onceway_signal::{Digest, Fingerprint};
    use tokio::time::{Duration, advance};

    use super::{Attempt, CountedParts, InFlight, Known, MAX_AGE, MAX_PARTS, Part};
    use crate::incident::Counted;

    fn part(webhook: usize, incident: u8, content: &str) -> Part {
        let fingerprint: Fingerprint = format!("{incident:02x}").repeat(32).parse().unwrap();
        Part::of(Digest::of([&webhook.to_be_bytes()]), fingerprint, content.as_bytes())
    }

    fn counted(count: u32) -> Counted {
        let (first_seen, last_seen) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        Counted { created: true, name: "rr".into(), namespace: "ns".into(), count, first_seen, last_seen }
    }

    fn attempt(parts: &Arc<CountedParts>, part: Part) -> Attempt {
        match parts.begin(part) {
            Known::Nothing(attempt) => attempt,
            other => panic!("{other:?}"),
        }
    }

    fn in_flight(parts: &Arc<CountedParts>, part: Part) -> InFlight {
        match parts.begin(part) {
            Known::InFlight(attempt) => attempt,
            other => panic!("{other:?}"),
        }
    }

    fn count_of(parts: &Arc<CountedParts>, part: Part) -> Option<Counted> {
        match parts.begin(part) {
            Known::Counted(counted) => Some(counted),
            Known::Nothing(_) => None,
            Known::InFlight(_) => panic!("in flight"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_known_by_its_webhook_its_incident_and_its_signals_and_creates_nothing_again() {
        let parts = Arc::default();
        attempt(&parts, part(1, 1, "a")).counted(&counted(7));
        assert_eq!(count_of(&parts, part(1, 1, "a")), Some(Counted { created: false, ..counted(7) }));
        for other in [part(1, 2, "a"), part(2, 1, "a"), part(1, 1, "ab"), part(1, 1, "")] {
            assert_eq!(count_of(&parts, other), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_at_a_part_in_flight_waits_for_its_end() {
        let parts = Arc::default();
        let first = attempt(&parts, part(1, 1, "a"));
        let mut waits = [in_flight(&parts, part(1, 1, "a")), in_flight(&parts, part(1, 1, "a"))]
            .map(|attempt| Box::pin(attempt.ended()));
        assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_none()));
        first.counted(&counted(1));
        assert!(waits.iter_mut().all(|wait| wait.now_or_never().is_some()));
        assert!(count_of(&parts, part(1, 1, "a")).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_attempt_that_was_not_counted_the_next_one_counts_the_part() {
        let parts = Arc::default();
        let first = attempt(&parts, part(1, 1, "a"));
        let wait = in_flight(&parts, part(1, 1, "a")).ended();
        drop(first);
        assert!(wait.now_or_never().is_some());
        drop(attempt(&parts, part(1, 1, "a")));
        assert!(parts.parts().in_flight.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_is_forgotten_after_five_minutes() {
        let parts = Arc::default();
        attempt(&parts, part(1, 1, "a")).counted(&counted(1));
        advance(MAX_AGE).await;
        assert!(count_of(&parts, part(1, 1, "a")).is_some());
        advance(Duration::from_millis(1)).await;
        assert_eq!(count_of(&parts, part(1, 1, "a")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_part_gives_way_to_the_newest() {
        let parts = Arc::default();
        for webhook in 0..=MAX_PARTS {
            attempt(&parts, part(webhook, 1, "a")).counted(&counted(1));
        }
        assert!(count_of(&parts, part(0, 1, "a")).is_none() && count_of(&parts, part(1, 1, "a")).is_some());
        assert!(count_of(&parts, part(MAX_PARTS, 1, "a")).is_some());
        assert_eq!(parts.parts().counted.len(), MAX_PARTS);
    }
}
