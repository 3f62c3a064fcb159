//! Which usable signals are rejected all the same: those about a cluster or a namespace that is out of scope, those with a
//! date that cannot be right, and, if asked, events of type Normal. Of the others only firing signals are checked: the rest ask for
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use onceway_signal::rules::Rules;
use onceway_signal::{Rejection, Signal, Source};
use thiserror::Error;

use crate::config::{Events, Freshness, NormalEvents};

/// The type of an event that reports no trouble; an event's type is its signal's severity.
const NORMAL: &str = "Normal";

/// The target rules with their scope, which events are accepted, and which dates.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub(super) rules: Arc<Rules>,
    events: Events,
    pub(super) freshness: Freshness,
}

/// Why a usable signal is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum PolicyRejection {
    /// Its target is out of scope.
    #[error(transparent)]
    OutOfScope(#[from] Rejection),
    /// The event happened too long ago.
    #[error("the event is dated {dated}, more than {max_age:?} ago; send events as they happen")]
    TooOld { dated: Timestamp, max_age: Duration },
    /// It has not happened yet.
    #[error("the signal is dated {dated}, more than {max_ahead:?} ahead; set the sender's clock")]
    Ahead { dated: Timestamp, max_ahead: Duration },
    /// It is an event that reports no trouble.
    #[error("events of type Normal are not accepted; send those of type Warning or Error")]
    Normal,
}

impl PolicyRejection {
    /// The label of the metric.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::OutOfScope(Rejection::Cluster { .. }) => "cluster",
            Self::OutOfScope(Rejection::Namespace { .. }) => "namespace",
            Self::OutOfScope(_) => "unusable",
            Self::TooOld { .. } => "too_old",
            Self::Ahead { .. } => "ahead",
            Self::Normal => "normal",
        }
    }
}

impl Policy {
    /// A policy of these rules and these settings.
    pub fn new(rules: Arc<Rules>, events: Events, freshness: Freshness) -> Self {
        Self { rules, events, freshness }
    }

    /// Whether a signal may be of its type.
    pub(super) fn check_type(&self, source: Source, signal: &Signal<'_>) -> Result<(), PolicyRejection> {
        let is_normal = source == Source::KubernetesEvent && signal.severity == NORMAL;
        if is_normal && self.events.normal == NormalEvents::Reject { Err(PolicyRejection::Normal) } else { Ok(()) }
    }

    /// Whether a signal may be about its target.
    pub(super) fn check_scope(&self, signal: &Signal<'_>) -> Result<(), PolicyRejection> {
        Ok(self.rules.scope().check(signal.cluster.as_deref(), &signal.resource, &signal.target)?)
    }

    /// Whether a signal's date can be right at `now`. A date that is missing or unreadable can: the time of receipt takes its
    /// place. Alerts may have fired for any time.
    pub(super) fn check_date(
        &self,
        source: Source,
        signal: &Signal<'_>,
        now: Timestamp,
    ) -> Result<(), PolicyRejection> {
        let Some(dated) = signal.firing_time.as_deref().and_then(|text| text.parse::<Timestamp>().ok()) else {
            return Ok(());
        };
        let age = now.duration_since(dated);
        let max_ahead = self.freshness.max_ahead;
        if is_longer(-age, max_ahead) {
            return Err(PolicyRejection::Ahead { dated, max_ahead });
        }
        let max_age = self.events.max_age;
        if source == Source::KubernetesEvent && !max_age.is_zero() && is_longer(age, max_age) {
            return Err(PolicyRejection::TooOld { dated, max_age });
        }
        Ok(())
    }
}

/// Whether `time` is more than `limit`; a limit that no timestamps can differ by is never exceeded.
pub(super) fn is_longer(time: SignedDuration, limit: Duration) -> bool {
    SignedDuration::try_from(limit).is_ok_and(|limit| time > limit)
}

#[cfg(test)]
mod tests;
