//! A signal: one alert or one event, normalised.

use std::borrow::Cow;

use crate::fingerprint::Fingerprint;
use crate::json::{Text, present};
use crate::labels::Labels;
use crate::limits::MAX_SEVERITY;
use crate::target::{Resource, Target};

/// Whether a signal asks for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// There is an incident.
    Firing,
    /// There is nothing to do: a resolved alert, or an event of type Normal.
    Resolved,
}

/// One alert or one event.
#[derive(Clone, Debug)]
pub struct Signal<'a> {
    /// Whether there is anything to do.
    pub state: State,
    /// `alertname`, or the event's `reason`: 1 to [`MAX_SIGNAL_NAME`](crate::limits::MAX_SIGNAL_NAME) characters.
    pub name: Cow<'a, str>,
    /// The `severity` label, or the event's `type`, else "unknown": 1 to [`MAX_SEVERITY`] characters.
    pub severity: Cow<'a, str>,
    /// `startsAt`, or the event's `lastTimestamp`, `eventTime`, `firstTimestamp`: the text as it was sent, which should be
    /// RFC 3339. It is not parsed here: the filter has no use for it, and a date that cannot be read is no reason to lose a
    /// page. Whoever parses it puts the time of receipt in the place of what it cannot read.
    pub firing_time: Option<Cow<'a, str>>,
    /// The alert's own `cluster` label; never of an event.
    pub cluster: Option<Cow<'a, str>>,
    /// What the signal itself named.
    pub resource: Resource<'a>,
    /// What the resource belongs to: the fingerprint's input, with the cluster.
    pub target: Target<'a>,
    /// The alert's labels, or the event's `metadata.labels`.
    pub labels: Labels<'a>,
    /// The alert's annotations, or the event's `metadata.annotations`.
    pub annotations: Labels<'a>,
}

impl Signal<'_> {
    /// The name of the incident that the signal belongs to: SHA-256 of `[<cluster>:]<namespace>:<Kind>:<name>`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.target.fingerprint(self.cluster.as_deref())
    }
}

/// A time that somebody set: Go writes one that nobody did as the first second of the year 1.
pub(crate) fn time(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    present(text).filter(|text| !text.starts_with("0001-01-01T00:00:00"))
}

/// A severity that an RR takes: "unknown" where there is none, and cut where it is too long.
pub(crate) fn severity(text: Option<Cow<'_, str>>) -> Cow<'_, str> {
    let Some(text) = text else { return Cow::Borrowed("unknown") };
    match (text.char_indices().nth(MAX_SEVERITY), text) {
        (None, text) => text,
        (Some((end, _)), Cow::Borrowed(text)) => Cow::Borrowed(text.get(..end).unwrap_or(text)),
        (Some((end, _)), Cow::Owned(mut text)) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}
