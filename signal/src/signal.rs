//! A signal: one alert or one event, normalised.

use std::borrow::Cow;

use crate::fingerprint::Fingerprint;
use crate::json::{Text, non_empty};
use crate::labels::Labels;
use crate::limits::MAX_SEVERITY;
use crate::rules::RuleId;
use crate::target::{Resource, Target};
use crate::truncate::truncated;

/// Whether a signal needs a remediation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// An incident.
    Firing,
    /// Nothing to do: a resolved alert, or an event that reports nothing to repair.
    Resolved,
    /// Nothing to do: an alert that the rules ignore.
    Ignored,
}

/// One alert or one event.
#[derive(Clone, Debug)]
pub struct Signal<'a> {
    /// Whether it needs a remediation.
    pub state: State,
    /// `alertname`, or the event's `reason`: 1 to [`MAX_SIGNAL_NAME`](crate::limits::MAX_SIGNAL_NAME) characters.
    pub name: Cow<'a, str>,
    /// The `severity` label, or the event's `type`, else "unknown": 1 to [`MAX_SEVERITY`] characters.
    pub severity: Cow<'a, str>,
    /// `startsAt`, or the event's `series.lastObservedTime`, `lastTimestamp`, `eventTime`, `firstTimestamp`: the text as
    /// sent, which should be RFC 3339. It is not parsed here: the filter does not need it, and an unreadable date must not
    /// reject the signal. The sidecar uses the time of receipt instead of an unreadable date.
    pub firing_time: Option<Cow<'a, str>>,
    /// The cluster: of an alert that of the label that its rule names, of an event its `clusterName`, else that of the
    /// request's path.
    pub cluster: Option<Cow<'a, str>>,
    /// The object that the signal names.
    pub resource: Resource<'a>,
    /// The object that the incident is about; with the cluster, the input of the fingerprint.
    pub target: Target<'a>,
    /// The controller of that object, where the signal itself says it, as an event's `ownerReferences` do.
    pub owner: Option<Resource<'a>>,
    /// The rule that named the target.
    pub rule: RuleId,
    /// The alert's labels, or the event's `metadata.labels`.
    pub labels: Labels<'a>,
    /// The alert's annotations, or the event's `metadata.annotations`.
    pub annotations: Labels<'a>,
}

impl Signal<'_> {
    /// The fingerprint of the incident that the signal belongs to: SHA-256 of `[<cluster>:]<namespace>:<Kind>:<name>`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.target.fingerprint(self.cluster.as_deref())
    }
}

/// A time, unless it is unset: Go writes an unset time as the first second of the year 1.
pub(crate) fn time(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    non_empty(text).filter(|text| !text.starts_with("0001-01-01T00:00:00"))
}

/// A severity that fits an RR: "unknown" if there is none, truncated if it is too long.
pub(crate) fn severity(text: Option<Cow<'_, str>>) -> Cow<'_, str> {
    let Some(text) = text else { return Cow::Borrowed("unknown") };
    match (truncated(&text, MAX_SEVERITY).map(str::len), text) {
        (None, text) => text,
        (Some(end), Cow::Borrowed(text)) => Cow::Borrowed(text.get(..end).unwrap_or(text)),
        (Some(end), Cow::Owned(mut text)) => {
            text.truncate(end);
            Cow::Owned(text)
        }
    }
}
