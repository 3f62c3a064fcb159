//! Sorts a decoded body into its parts: an incident with firing signals, one with nothing to do, a signal of no use.

use onceway_signal::{Fingerprint, Group, Payload, Source, State};

use super::answer::Outcome;

/// One part of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// An incident with firing signals, by their indices in the body.
    Firing { fingerprint: Fingerprint, entries: Vec<usize> },
    /// A part whose outcome is known already.
    Known(Box<Outcome>),
}

impl Part {
    /// How many firing signals it has.
    pub(super) fn signals(&self) -> usize {
        match self {
            Self::Firing { entries, .. } => entries.len(),
            Self::Known(_) => 0,
        }
    }
}

/// The parts of `payload`, in the order in which it first names them.
pub(super) fn parts(payload: &Payload<'_>, groups: Vec<Group>) -> Vec<Part> {
    let mut placed: Vec<(usize, Part)> = Vec::new();
    for group in groups {
        let place = group.entries.first().copied().unwrap_or_default();
        placed.push((place, incident(payload, group)));
    }
    for (index, entry) in payload.entries().iter().enumerate() {
        if let Err(rejection) = &entry.signal {
            let reason = match payload.source() {
                Source::Prometheus => format!("alerts[{index}]: {rejection}"),
                Source::KubernetesEvent => rejection.to_string(),
            };
            placed.push((index, Part::Known(Box::new(Outcome::rejected(reason)))));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, part)| part).collect()
}

fn incident(payload: &Payload<'_>, group: Group) -> Part {
    let fingerprint = group.fingerprint;
    let entries: Vec<usize> = group.entries.into_iter().filter(|&index| state(payload, index) == FIRING).collect();
    if !entries.is_empty() {
        return Part::Firing { fingerprint, entries };
    }
    let reason = match payload.source() {
        Source::Prometheus => "the alert is resolved",
        Source::KubernetesEvent => "the event is of type Normal",
    };
    Part::Known(Box::new(Outcome::nothing_to_do(Some(fingerprint.to_string()), reason)))
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
