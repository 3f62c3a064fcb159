//! Classifies a decoded body: incidents to commit, and entries that are only reported.
//!
//! What waits for the commits is small, whatever the size of the body: a few words per alert. The outcomes are written once
//! the commits are done.

use std::sync::Arc;

use jiff::Timestamp;
use onceway_signal::limits::MAX_REJECTIONS;
use onceway_signal::response::SignalOutcome;
use onceway_signal::{Fingerprint, Group, PartialPayload, Payload, Signal, Source, State};

use super::policy::{Policy, PolicyRejection};
use super::scopes::AccessScopes;
use crate::auth::{Access, AccessScope};
use crate::metrics::Metrics;
use crate::rr::SignalList;
use crate::workload::Named;

/// The content of a body. A place is the index of an alert; an incident's place is that of its first alert.
#[derive(Debug)]
pub(super) struct Classified {
    /// Incidents with firing signals.
    pub(super) firing: Vec<FiringIncident>,
    /// Everything else.
    pub(super) uncommitted: Uncommitted,
    /// The distinct scopes of the incidents, except of ignored ones.
    pub(super) scopes: Vec<AccessScope>,
}

/// An incident that the sender is not known to have a right for.
#[derive(Debug)]
pub(super) struct Unpermitted {
    pub(super) place: usize,
    pub(super) fingerprint: Fingerprint,
    /// Its firing signals.
    pub(super) signals: usize,
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
    /// Its target, as log lines show it: `[<cluster>:]<namespace>:<Kind>:<name>`.
    pub(super) target: Arc<str>,
    /// What the first of them says about its object.
    pub(super) named: Named,
    /// The target's namespace; empty: none.
    pub(super) namespace: Arc<str>,
    /// The index of its scope.
    scope: usize,
}

/// Entries that need no commit.
#[derive(Debug)]
pub(super) struct Uncommitted {
    source: Source,
    /// Incidents with nothing to do.
    nothing: Vec<NothingToDo>,
    /// Incidents with firing signals about a target that the policy excludes, and why.
    excluded: Vec<(usize, Fingerprint, String)>,
    /// The first [`MAX_REJECTIONS`] rejected alerts, and why.
    rejected: Vec<(usize, String)>,
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
            .map(|FiringIncident { place, fingerprint, part, scope, .. }| Unpermitted {
                place,
                fingerprint,
                signals: part.entries(),
                scope,
            })
            .collect();
        let nothing = self.uncommitted.nothing.extract_if(.., |incident| !incident.scope.is_none_or(allowed));
        removed.extend(nothing.filter_map(|NothingToDo { place, fingerprint, scope, .. }| {
            Some(Unpermitted { place, fingerprint, signals: 0, scope: scope? })
        }));
        removed
    }
}

/// Classifies `payload`, which was `received` then and whose groups are `groups`, and counts what is rejected.
pub(super) fn classify(
    payload: &Payload<'_>,
    groups: Vec<Group>,
    policy: &Policy,
    received: Timestamp,
    metrics: &Metrics,
) -> Classified {
    let (mut firing, mut scopes) = (Vec::new(), AccessScopes::default());
    let mut uncommitted = Uncommitted::of(payload.source());
    let mut refused: Vec<(usize, PolicyRejection)> = Vec::new();
    for Group { fingerprint, entries, .. } in groups {
        let place = entries.first().copied().unwrap_or_default();
        if let Some(Err(rejection)) = signal(payload, place).map(|first| policy.check_type(payload.source(), first)) {
            refused.push((place, rejection));
            continue;
        }
        let scope = scopes.of_entries(payload, &entries);
        let mut entries: Vec<usize> = entries.into_iter().filter(|&index| state(payload, index) == FIRING).collect();
        let first = entries.first().and_then(|&index| signal(payload, index));
        let (Some(first), Some(scope)) = (first, scope) else {
            uncommitted.nothing.push(NothingToDo { place, fingerprint, reason: reason(payload, place), scope });
            continue;
        };
        // All signals of an incident have its target.
        if let Err(rejection) = policy.check_scope(first) {
            metrics.rejections.add(rejection.label(), entries.len());
            uncommitted.excluded.push((place, fingerprint, rejection.to_string()));
            continue;
        }
        let (target, namespace) = (shown(first), Arc::from(&*first.target.namespace));
        entries.retain(|&index| {
            let Some(signal) = signal(payload, index) else { return false };
            let checked = policy.check_date(payload.source(), signal, received);
            checked.map_err(|rejection| refused.push((index, rejection))).is_ok()
        });
        if let Some(first) = entries.first().and_then(|&index| signal(payload, index)) {
            let (part, by_name) = (payload.partial(&entries), by_name(payload, &entries, received));
            let named = Named::of(first);
            firing.push(FiringIncident { place, fingerprint, part, by_name, target, named, namespace, scope });
        }
    }
    uncommitted.reject_all(payload, refused, metrics);
    Classified { firing, uncommitted, scopes: scopes.into_list() }
}

fn signal<'p, 'a>(payload: &'p Payload<'a>, index: usize) -> Option<&'p Signal<'a>> {
    payload.entries().get(index)?.signal.as_ref().ok()
}

fn shown(signal: &Signal<'_>) -> Arc<str> {
    match &signal.cluster {
        Some(cluster) => format!("{cluster}:{}", signal.target).into(),
        None => signal.target.to_string().into(),
    }
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
    fn of(source: Source) -> Self {
        Self { source, nothing: Vec::new(), excluded: Vec::new(), rejected: Vec::new(), unnamed: None }
    }

    /// Adds the entries that are no signals and those that are refused one by one, in the order of the body.
    fn reject_all(&mut self, payload: &Payload<'_>, mut refused: Vec<(usize, PolicyRejection)>, metrics: &Metrics) {
        refused.sort_unstable_by_key(|(place, _)| *place);
        let mut refused = refused.into_iter().peekable();
        for (place, entry) in payload.entries().iter().enumerate() {
            if let Err(rejection) = &entry.signal {
                metrics.rejections.add("unusable", 1);
                self.reject(place, || rejection.to_string());
            } else if let Some((_, rejection)) = refused.next_if(|(index, _)| *index == place) {
                metrics.rejections.add(rejection.label(), 1);
                self.reject(place, || rejection.to_string());
            }
        }
    }

    fn reject(&mut self, place: usize, reason: impl FnOnce() -> String) {
        if self.rejected.len() < MAX_REJECTIONS {
            self.rejected.push((place, reason()));
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
        let excluded = self.excluded.into_iter().map(|(place, fingerprint, reason)| {
            let fingerprint = Some(fingerprint.to_string());
            (place, SignalOutcome { fingerprint, ..SignalOutcome::rejected(reason) })
        });
        let rejected = self.rejected.into_iter().map(move |(place, reason)| {
            let outcome = match source {
                Source::Prometheus => SignalOutcome::rejected_at(place, reason),
                Source::KubernetesEvent => SignalOutcome::rejected(reason),
            };
            (place, outcome)
        });
        let unnamed = self.unnamed.map(|(place, alerts)| (place, SignalOutcome::rejected_rest(place, alerts)));
        nothing.chain(excluded).chain(rejected).chain(unnamed)
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

/// The severity of the signal at `index`, as the metrics label it.
pub(super) fn severity<'p>(payload: &'p Payload<'_>, index: usize) -> &'p str {
    signal(payload, index).map_or("unknown", |signal| &*signal.severity)
}
