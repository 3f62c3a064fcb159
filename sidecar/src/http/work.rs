//! Sorts a decoded body: incidents to be committed, and what needs no commit and is only told of.
//!
//! What waits for the commits is small, whatever the body was: some words an alert. Its outcomes are written when the
//! commits are done.

use onceway_signal::limits::MAX_REJECTIONS;
use onceway_signal::response::SignalOutcome;
use onceway_signal::{Fingerprint, Group, PartialPayload, Payload, Rejection, Source, State};

/// All that a body asks for. Places are indices of alerts: an incident's is that of its first one.
#[derive(Debug)]
pub(super) struct Work {
    /// The incidents with firing signals.
    pub(super) firing: Vec<Firing>,
    /// All the rest.
    pub(super) rest: Rest,
}

/// An incident with firing signals.
#[derive(Debug)]
pub(super) struct Firing {
    pub(super) place: usize,
    pub(super) fingerprint: Fingerprint,
    /// The firing signals.
    pub(super) part: PartialPayload,
}

/// What needs no commit.
#[derive(Debug)]
pub(super) struct Rest {
    source: Source,
    /// Incidents with nothing to do.
    resolved: Vec<(usize, Fingerprint)>,
    /// The first [`MAX_REJECTIONS`] alerts that can never be used.
    rejected: Vec<(usize, Rejection)>,
    /// How many more there are, and the place of the first one.
    unnamed: Option<(usize, usize)>,
}

/// Sorts `payload`, whose groups are `groups`.
pub(super) fn sort(payload: &Payload<'_>, groups: Vec<Group>) -> Work {
    let mut firing = Vec::new();
    let mut rest = Rest { source: payload.source(), resolved: Vec::new(), rejected: Vec::new(), unnamed: None };
    for Group { fingerprint, entries, .. } in groups {
        let place = entries.first().copied().unwrap_or_default();
        let entries: Vec<usize> = entries.into_iter().filter(|&index| state(payload, index) == FIRING).collect();
        match entries.as_slice() {
            [] => rest.resolved.push((place, fingerprint)),
            entries => firing.push(Firing { place, fingerprint, part: payload.partial(entries) }),
        }
    }
    for (place, entry) in payload.entries().iter().enumerate() {
        if let Err(rejection) = &entry.signal {
            rest.reject(place, rejection);
        }
    }
    Work { firing, rest }
}

impl Rest {
    fn reject(&mut self, place: usize, rejection: &Rejection) {
        if self.rejected.len() < MAX_REJECTIONS {
            self.rejected.push((place, rejection.clone()));
        } else {
            self.unnamed.get_or_insert((place, 0)).1 += 1;
        }
    }

    /// The outcome of each, with its place.
    pub(super) fn outcomes(self) -> impl Iterator<Item = (usize, SignalOutcome)> {
        let source = self.source;
        let nothing = match source {
            Source::Prometheus => "the alert is resolved",
            Source::KubernetesEvent => "the event is of type Normal",
        };
        let resolved = self.resolved.into_iter().map(move |(place, fingerprint)| {
            (place, SignalOutcome::nothing_to_do(Some(fingerprint.to_string()), nothing))
        });
        let rejected = self.rejected.into_iter().map(move |(place, rejection)| {
            let outcome = match source {
                Source::Prometheus => SignalOutcome::rejected_at(place, rejection),
                Source::KubernetesEvent => SignalOutcome::rejected(rejection.to_string()),
            };
            (place, outcome)
        });
        let unnamed = self.unnamed.map(|(place, alerts)| (place, SignalOutcome::rejected_rest(place, alerts)));
        resolved.chain(rejected).chain(unnamed)
    }
}

const FIRING: &str = "firing";

/// The state of the signal at `index`, in a word.
pub(super) fn state(payload: &Payload<'_>, index: usize) -> &'static str {
    match payload.entries().get(index).map(|entry| &entry.signal) {
        Some(Ok(signal)) if signal.state == State::Firing => FIRING,
        Some(Ok(_)) => "resolved",
        _ => "rejected",
    }
}
