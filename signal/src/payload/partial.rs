//! A part of a body by its places in it, so that it can be read again, or sent on, without all the rest.

use std::ops::Range;
use std::str::from_utf8;

use super::excerpt::{CLOSE, OPEN};
use super::{Payload, decode};
use crate::alertmanager::webhook::Own;
use crate::signal::State;
use crate::source::Source;

/// Some alerts of a webhook and its own other fields, or the event, by their places in the body: it borrows nothing, so
/// that it can wait, and takes two words an alert.
#[derive(Clone, Debug)]
pub struct PartialPayload {
    source: Source,
    before: Range<usize>,
    after: Range<usize>,
    state: State,
    alerts: Vec<Range<usize>>,
}

impl Payload<'_> {
    /// The part with only the alerts at `indices`, in that order; an event as it is. An index without an entry is passed
    /// over.
    #[must_use]
    pub fn partial(&self, indices: &[usize]) -> PartialPayload {
        let alerts = indices.iter().filter_map(|&index| self.entries().get(index));
        PartialPayload {
            source: self.source,
            before: self.place(self.own.before),
            after: self.place(self.own.after),
            state: self.own.state,
            alerts: alerts.map(|alert| self.place(alert.raw)).collect(),
        }
    }

    /// Where `slice` stands in the body that it is a slice of.
    fn place(&self, slice: &str) -> Range<usize> {
        if slice.is_empty() {
            return 0..0;
        }
        let start = slice.as_ptr().addr().wrapping_sub(self.body.as_ptr().addr());
        start..start.wrapping_add(slice.len())
    }
}

impl PartialPayload {
    /// Where the body came from.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// How many entries it has.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.alerts.len()
    }

    /// How many bytes [`PartialPayload::slice`] takes, the body having `whole`.
    #[must_use]
    pub fn size(&self, whole: usize) -> usize {
        if self.source == Source::KubernetesEvent {
            return whole;
        }
        let own = self.own().map(|place| place.len() + ",".len()).sum::<usize>();
        let alerts = self.alerts.iter().map(|place| place.len() + ",".len()).sum::<usize>().saturating_sub(",".len());
        "{".len() + own + OPEN.len() + alerts + CLOSE.len()
    }

    /// This part of `body` as a body of its own, byte for byte: the webhook's own fields, then these alerts; the event as it
    /// is. `None` if these are not the bytes that the part was taken from.
    #[must_use]
    pub fn slice(&self, body: &[u8]) -> Option<Vec<u8>> {
        if self.source == Source::KubernetesEvent {
            return Some(body.to_vec());
        }
        let mut json = Vec::with_capacity(self.size(body.len()));
        json.push(b'{');
        for place in self.own() {
            json.extend_from_slice(body.get(place.clone())?);
            json.push(b',');
        }
        json.extend_from_slice(OPEN.as_bytes());
        for (index, place) in self.alerts.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            json.extend_from_slice(body.get(place.clone())?);
        }
        json.extend_from_slice(CLOSE.as_bytes());
        Some(json)
    }

    /// The places of the webhook's own fields.
    fn own(&self) -> impl Iterator<Item = &Range<usize>> {
        [&self.before, &self.after].into_iter().filter(|place| !place.is_empty())
    }

    /// Decodes just this part of `body`: a webhook with its own fields and only these alerts. `None` if these are not the
    /// bytes that the part was taken from.
    #[must_use]
    pub fn decode<'a>(&self, body: &'a [u8]) -> Option<Payload<'a>> {
        if self.source == Source::KubernetesEvent {
            return decode(self.source, body).ok();
        }
        let text = |place: &Range<usize>| from_utf8(body.get(place.clone())?).ok();
        let own = Own { before: text(&self.before)?, after: text(&self.after)?, state: self.state };
        let alerts: Vec<&str> = self.alerts.iter().map(text).collect::<Option<_>>()?;
        Some(Payload::of_alerts(body, own, alerts.into_iter()))
    }
}
