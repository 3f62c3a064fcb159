//! A decoded body: its signals, their groups, and partial payloads that are valid bodies.

use std::collections::BTreeMap;
use std::str::from_utf8;

use serde_json::value::RawValue;

use crate::alertmanager::{self, Context, OwnFields, Webhook};
use crate::entry::Entry;
use crate::error::DecodeError;
use crate::event::Event;
use crate::fingerprint::Fingerprint;
use crate::layout::seen;
use crate::rules::Rules;
use crate::signal::{Signal, State};
use crate::source::{Origin, Source};

mod excerpt;
mod partial;

pub use self::partial::PartialPayload;

/// A decoded body, borrowing from it.
#[derive(Clone, Debug)]
pub struct Payload<'a> {
    origin: &'a Origin,
    body: &'a [u8],
    entries: Vec<Entry<'a>>,
    own: OwnFields<'a>,
}

/// The signals of one fingerprint in one body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The fingerprint that they share.
    pub fingerprint: Fingerprint,
    /// Their indices in [`Payload::entries`], ascending; never empty.
    pub entries: Vec<usize>,
    /// Whether any of them fires. If none does, there is nothing to do for the group.
    pub firing: bool,
}

impl Group {
    /// The fingerprint that an undivided body is hashed on: that of its first firing group, else of its first group.
    /// Firing groups come first because only they are work for the fingerprint's owner.
    #[must_use]
    pub fn leading(groups: &[Self]) -> Option<Fingerprint> {
        groups.iter().find(|group| group.firing).or(groups.first()).map(|group| group.fingerprint)
    }
}

/// Decodes a body that was sent to `origin`, by these rules.
///
/// # Errors
/// [`DecodeError`] if the whole body is unusable: it is not JSON, or of another shape. That is permanent. An error in a
/// single alert is in its [`Entry`].
pub fn decode<'a>(rules: &'a Rules, origin: &'a Origin, body: &'a [u8]) -> Result<Payload<'a>, DecodeError> {
    let text = from_utf8(body).map_err(|error| DecodeError::NotUtf8 { offset: error.valid_up_to() })?;
    match origin.source {
        Source::Prometheus => decode_webhook(rules, origin, text),
        Source::KubernetesEvent => decode_event(origin, text),
    }
}

fn decode_webhook<'a>(rules: &'a Rules, origin: &'a Origin, body: &'a str) -> Result<Payload<'a>, DecodeError> {
    let context = Context { rules, cluster: origin.cluster() };
    if let Some((entries, own)) = alertmanager::decode_fast(body, context) {
        return Ok(Payload { origin, body: body.as_bytes(), entries, own });
    }
    let Webhook { alerts, own } = Webhook::decode(body).map_err(|error| {
        other_layout(body, origin.source, WEBHOOK).unwrap_or_else(|| DecodeError::json(WEBHOOK, &error))
    })?;
    Ok(Payload::of_alerts(rules, origin, body.as_bytes(), own, alerts.into_iter().map(RawValue::get)))
}

fn decode_event<'a>(origin: &'a Origin, body: &'a str) -> Result<Payload<'a>, DecodeError> {
    let event = Event::decode(body).map_err(|error| DecodeError::json(EVENT, &error))?;
    if !event.has_object()
        && let Some(error) = other_layout(body, origin.source, EVENT)
    {
        return Err(error);
    }
    let entries = vec![Entry { raw: body.trim_ascii(), signal: event.signal(origin.cluster()) }];
    Ok(Payload { origin, body: body.as_bytes(), entries, own: OwnFields::NONE })
}

const WEBHOOK: &str = "an Alertmanager webhook";
const EVENT: &str = "a Kubernetes Event";

fn other_layout(body: &str, source: Source, expected: &'static str) -> Option<DecodeError> {
    seen(body, source).map(|(seen, todo)| DecodeError::OtherLayout { expected, seen, todo })
}

impl<'a> Payload<'a> {
    fn of_alerts(
        rules: &'a Rules,
        origin: &'a Origin,
        body: &'a [u8],
        own: OwnFields<'a>,
        alerts: impl Iterator<Item = &'a str>,
    ) -> Self {
        let context = Context { rules, cluster: origin.cluster() };
        let entries =
            alerts.map(|raw| Entry { raw, signal: alertmanager::signal(raw, own.inherited(), context) }).collect();
        Self { origin, body, entries, own }
    }

    /// The source of the body.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.origin.source
    }

    /// One entry per alert, in the webhook's order; exactly one for an event.
    #[must_use]
    pub fn entries(&self) -> &[Entry<'a>] {
        &self.entries
    }

    /// The signals, firing and resolved, by fingerprint, in the order of their first appearance.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        // Ordered, not hashed: a hash map needs random numbers, which a filter must request from the host.
        let mut positions = BTreeMap::new();
        let mut last: Option<(&Signal<'_>, usize)> = None;
        for (index, entry) in self.entries.iter().enumerate() {
            let Ok(signal) = &entry.signal else { continue };
            // Consecutive alerts often have the same target, and in a filter a comparison costs far less than a hash.
            let position = match last {
                Some((last, position)) if last.target == signal.target && last.cluster == signal.cluster => position,
                _ => {
                    let fingerprint = signal.fingerprint();
                    *positions.entry(fingerprint).or_insert_with(|| {
                        groups.push(Group { fingerprint, entries: Vec::new(), firing: false });
                        groups.len() - 1
                    })
                }
            };
            last = Some((signal, position));
            if let Some(group) = groups.get_mut(position) {
                group.entries.push(index);
                group.firing |= signal.state == State::Firing;
            }
        }
        groups
    }
}
