//! Classifies a decoded body: incidents to commit, and entries that are only reported.
//!
//! What waits for the commits is small, whatever the size of the body: a few words per alert. The outcomes are written once
//! the commits are done.

use jiff::Timestamp;
use onceway_signal::limits::MAX_REJECTIONS;
use onceway_signal::response::SignalOutcome;
use onceway_signal::{Fingerprint, Group, PartialPayload, Payload, Rejection, Source, State};

use crate::rr::SignalList;

/// The content of a body. A place is the index of an alert; an incident's place is that of its first alert.
#[derive(Debug)]
pub(super) struct Classified {
    /// Incidents with firing signals.
    pub(super) firing: Vec<FiringIncident>,
    /// Everything else.
    pub(super) uncommitted: Uncommitted,
}

/// An incident with firing signals.
#[derive(Debug)]
pub(super) struct FiringIncident {
    pub(super) place: usize,
    pub(super) fingerprint: Fingerprint,
    /// The firing signals.
    pub(super) part: PartialPayload,
    /// The same by name.
    pub(super) by_name: SignalList,
}

/// Entries that need no commit.
#[derive(Debug)]
pub(super) struct Uncommitted {
    source: Source,
    /// Incidents with nothing to do, and why.
    nothing: Vec<(usize, Fingerprint, &'static str)>,
    /// The first [`MAX_REJECTIONS`] rejected alerts.
    rejected: Vec<(usize, Rejection)>,
    /// The place of the first rejected alert beyond those, and how many there are.
    unnamed: Option<(usize, usize)>,
}

/// Classifies `payload`, which was `received` then and whose groups are `groups`.
pub(super) fn classify(payload: &Payload<'_>, groups: Vec<Group>, received: Timestamp) -> Classified {
    let mut firing = Vec::new();
    let mut uncommitted =
        Uncommitted { source: payload.source(), nothing: Vec::new(), rejected: Vec::new(), unnamed: None };
    for Group { fingerprint, entries, .. } in groups {
        let place = entries.first().copied().unwrap_or_default();
        let entries: Vec<usize> = entries.into_iter().filter(|&index| state(payload, index) == FIRING).collect();
        match entries.as_slice() {
            [] => uncommitted.nothing.push((place, fingerprint, reason(payload, place))),
            entries => {
                let (part, by_name) = (payload.partial(entries), by_name(payload, entries, received));
                firing.push(FiringIncident { place, fingerprint, part, by_name });
            }
        }
    }
    for (place, entry) in payload.entries().iter().enumerate() {
        if let Err(rejection) = &entry.signal {
            uncommitted.reject(place, rejection);
        }
    }
    Classified { firing, uncommitted }
}

fn by_name(payload: &Payload<'_>, entries: &[usize], received: Timestamp) -> SignalList {
    let mut list = SignalList::default();
    for entry in entries.iter().filter_map(|&index| payload.entries().get(index)) {
        if let Ok(signal) = &entry.signal {
            list.add(&signal.name, &signal.severity, received);
        }
    }
    list
}

impl Uncommitted {
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
        let nothing = self.nothing.into_iter().map(|(place, fingerprint, reason)| {
            (place, SignalOutcome::nothing_to_do(Some(fingerprint.to_string()), reason))
        });
        let rejected = self.rejected.into_iter().map(move |(place, rejection)| {
            let outcome = match source {
                Source::Prometheus => SignalOutcome::rejected_at(place, rejection),
                Source::KubernetesEvent => SignalOutcome::rejected(rejection.to_string()),
            };
            (place, outcome)
        });
        let unnamed = self.unnamed.map(|(place, alerts)| (place, SignalOutcome::rejected_rest(place, alerts)));
        nothing.chain(rejected).chain(unnamed)
    }
}

/// Why there is nothing to do for the incident of the signal at `index`.
fn reason(payload: &Payload<'_>, index: usize) -> &'static str {
    match (payload.source(), state(payload, index)) {
        (Source::KubernetesEvent, _) => "the event reports nothing to repair",
        (Source::Prometheus, IGNORED) => "the target rules ignore the alert",
        (Source::Prometheus, _) => "the alert is resolved",
    }
}

const FIRING: &str = "firing";
const IGNORED: &str = "ignored";

/// The state of the signal at `index`, as the metrics label it.
pub(super) fn state(payload: &Payload<'_>, index: usize) -> &'static str {
    match payload.entries().get(index).map(|entry| &entry.signal) {
        Some(Ok(signal)) if signal.state == State::Firing => FIRING,
        Some(Ok(signal)) if signal.state == State::Ignored => IGNORED,
        Some(Ok(_)) => "resolved",
        _ => "rejected",
    }
}
