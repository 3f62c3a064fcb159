//! A partial payload as byte ranges of the body, so that it can be decoded or sent without the rest of the body.

use std::borrow::Cow;
use std::ops::Range;
use std::str::from_utf8;

use super::excerpt::{CLOSE, OPEN};
use super::{Payload, decode};
use crate::alertmanager::OwnFields;
use crate::rules::Rules;
use crate::signal::State;
use crate::source::{Origin, Source};

/// Some alerts of a webhook with its own fields, or the event, as byte ranges of the body. It borrows nothing, so it
/// can be queued, and takes two words per alert.
#[derive(Clone, Debug)]
pub struct PartialPayload {
    origin: Origin,
    before: Range<usize>,
    after: Range<usize>,
    state: State,
    cluster: Option<Box<str>>,
    alerts: Vec<Range<usize>>,
}

impl Payload<'_> {
    /// The payload with only the alerts at `indices`, in that order; an event unchanged. An index without an entry is
    /// skipped.
    #[must_use]
    pub fn partial(&self, indices: &[usize]) -> PartialPayload {
        let alerts = indices.iter().filter_map(|&index| self.entries().get(index));
        PartialPayload {
            origin: self.origin.clone(),
            before: self.range(self.own.before),
            after: self.range(self.own.after),
            state: self.own.state,
            cluster: self.own.cluster.as_deref().map(Box::from),
            alerts: alerts.map(|alert| self.range(alert.raw)).collect(),
        }
    }

    /// The range of `slice`, which is a slice of the body.
    fn range(&self, slice: &str) -> Range<usize> {
        if slice.is_empty() {
            return 0..0;
        }
        let start = slice.as_ptr().addr().wrapping_sub(self.body.as_ptr().addr());
        start..start.wrapping_add(slice.len())
    }
}

impl PartialPayload {
    /// The source of the body.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.origin.source
    }

    /// The number of entries.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.alerts.len()
    }

    /// The length of [`PartialPayload::slice`] in bytes, for a body of `body_len` bytes.
    #[must_use]
    pub fn size(&self, body_len: usize) -> usize {
        if self.origin.source == Source::KubernetesEvent {
            return body_len;
        }
        let own = self.own().map(|range| range.len() + ",".len()).sum::<usize>();
        let alerts = self.alerts.iter().map(|range| range.len() + ",".len()).sum::<usize>().saturating_sub(",".len());
        "{".len() + own + OPEN.len() + alerts + CLOSE.len()
    }

    /// A body with only this partial payload of `body`, byte for byte: the webhook's own fields, then these alerts; an
    /// event unchanged. `None` if a range is outside `body`: it is not the original body.
    #[must_use]
    pub fn slice(&self, body: &[u8]) -> Option<Vec<u8>> {
        if self.origin.source == Source::KubernetesEvent {
            return Some(body.to_vec());
        }
        let mut json = Vec::with_capacity(self.size(body.len()));
        json.push(b'{');
        for range in self.own() {
            json.extend_from_slice(body.get(range.clone())?);
            json.push(b',');
        }
        json.extend_from_slice(OPEN.as_bytes());
        for (index, range) in self.alerts.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            json.extend_from_slice(body.get(range.clone())?);
        }
        json.extend_from_slice(CLOSE.as_bytes());
        Some(json)
    }

    /// The ranges of the webhook's own fields.
    fn own(&self) -> impl Iterator<Item = &Range<usize>> {
        [&self.before, &self.after].into_iter().filter(|range| !range.is_empty())
    }

    /// Decodes only this partial payload of `body`, by these rules. `None` if a range is outside `body` or not UTF-8: it is
    /// not the original body.
    #[must_use]
    pub fn decode<'a>(&'a self, rules: &'a Rules, body: &'a [u8]) -> Option<Payload<'a>> {
        if self.origin.source == Source::KubernetesEvent {
            return decode(rules, &self.origin, body).ok();
        }
        let text = |range: &Range<usize>| from_utf8(body.get(range.clone())?).ok();
        let cluster = self.cluster.as_deref().map(Cow::Borrowed);
        let own = OwnFields { before: text(&self.before)?, after: text(&self.after)?, state: self.state, cluster };
        let alerts: Vec<&str> = self.alerts.iter().map(text).collect::<Option<_>>()?;
        Some(Payload::of_alerts(rules, &self.origin, body, own, alerts.into_iter()))
    }
}
