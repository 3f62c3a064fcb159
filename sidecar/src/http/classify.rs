//! Classifies a decoded body: incidents to commit, and entries that are only reported.
//!
//! What waits for the commits is small, whatever the size of the body: a few words per alert. The outcomes are written once
//! the commits are done.

use std::collections::HashMap;

use jiff::Timestamp;
use onceway_signal::limits::MAX_REJECTIONS;
use onceway_signal::response::SignalOutcome;
use onceway_signal::{Fingerprint, Group, PartialPayload, Payload, Rejection, Source, State};

use crate::auth::{Access, Scope};
use crate::rr::SignalList;

/// The content of a body. A place is the index of an alert; an incident's place is that of its first alert.
#[derive(Debug)]
pub(super) struct Classified {
    /// Incidents with firing signals.
    pub(super) firing: Vec<FiringIncident>,
    /// Everything else.
    pub(super) uncommitted: Uncommitted,
    /// The distinct scopes of the incidents, except of ignored ones.
    pub(super) scopes: Vec<Scope>,
}

/// An incident that the sender is not known to have a right for.
#[derive(Debug)]
pub(super) struct Unpermitted {
    pub(super) place: usize,
    pub(super) fingerprint: Fingerprint,
    /// The index of its scope.
    pub(super) scope: usize,
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
    /// The index of its scope.
    scope: usize,
}

/// Entries that need no commit.
#[derive(Debug)]
pub(super) struct Uncommitted {
    source: Source,
    /// Incidents with nothing to do.
    nothing: Vec<NothingToDo>,
    /// The first [`MAX_REJECTIONS`] rejected alerts.
    rejected: Vec<(usize, Rejection)>,
    /// The place of the first rejected alert beyond those, and how many there are.
    unnamed: Option<(usize, usize)>,
}

/// An incident with nothing to do.
#[derive(Debug)]
struct NothingToDo {
    place: usize,
    fingerprint: Fingerprint,
    reason: &'static str,
    /// The index of its scope; `None` if it is ignored: then it has no effect that needs a right.
    scope: Option<usize>,
}

impl Classified {
    /// Removes the incidents for whose scope the sender has no access, given that to each of [`Self::scopes`].
    pub(super) fn unpermitted(&mut self, accesses: &[Access]) -> Vec<Unpermitted> {
        let allowed = |scope: usize| accesses.get(scope) == Some(&Access::Allowed);
        let firing = self.firing.extract_if(.., |incident| !allowed(incident.scope));
        let mut removed: Vec<Unpermitted> = firing
            .map(|FiringIncident { place, fingerprint, scope, .. }| Unpermitted { place, fingerprint, scope })
            .collect();
        let nothing = self.uncommitted.nothing.extract_if(.., |incident| !incident.scope.is_none_or(allowed));
        removed.extend(nothing.filter_map(|NothingToDo { place, fingerprint, scope, .. }| {
            Some(Unpermitted { place, fingerprint, scope: scope? })
        }));
        removed
    }
}

/// Numbers distinct scopes.
#[derive(Default)]
struct Scopes {
    indices: HashMap<Scope, usize>,
    in_order: Vec<Scope>,
}

impl Scopes {
    fn index(&mut self, scope: Scope) -> usize {
        let next = self.in_order.len();
        *self.indices.entry(scope).or_insert_with_key(|scope| {
            self.in_order.push(scope.clone());
            next
        })
    }

    /// The index of the scope of these entries. They may have several: an incident of an event about a Node of another
    /// API group, say. Of those the whole cluster counts.
    fn of_entries(&mut self, payload: &Payload<'_>, entries: &[usize]) -> Option<usize> {
        let signals = entries.iter().filter_map(|&index| payload.entries().get(index)?.signal.as_ref().ok());
        let mut scopes = signals.filter(|signal| signal.state != State::Ignored).map(Scope::of);
        let first = scopes.next()?;
        let differs = scopes.any(|scope| scope != first);
        Some(self.index(if differs { Scope::Cluster } else { first }))
    }
}

/// Classifies `payload`, which was `received` then and whose groups are `groups`.
pub(super) fn classify(payload: &Payload<'_>, groups: Vec<Group>, received: Timestamp) -> Classified {
    let mut firing = Vec::new();
    let mut uncommitted =
        Uncommitted { source: payload.source(), nothing: Vec::new(), rejected: Vec::new(), unnamed: None };
    let mut scopes = Scopes::default();
    for Group { fingerprint, entries, .. } in groups {
        let place = entries.first().copied().unwrap_or_default();
        let scope = scopes.of_entries(payload, &entries);
        let entries: Vec<usize> = entries.into_iter().filter(|&index| state(payload, index) == FIRING).collect();
        match (entries.as_slice(), scope) {
            (entries @ [_, ..], Some(scope)) => {
                let (part, by_name) = (payload.partial(entries), by_name(payload, entries, received));
                firing.push(FiringIncident { place, fingerprint, part, by_name, scope });
            }
            (_, scope) => {
                let reason = reason(payload, place);
                uncommitted.nothing.push(NothingToDo { place, fingerprint, reason, scope });
            }
        }
    }
    for (place, entry) in payload.entries().iter().enumerate() {
        if let Err(rejection) = &entry.signal {
            uncommitted.reject(place, rejection);
        }
    }
    Classified { firing, uncommitted, scopes: scopes.in_order }
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
        let nothing = self.nothing.into_iter().map(|NothingToDo { place, fingerprint, reason, .. }| {
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
