//! Which usable signals are rejected all the same: those about a cluster or a namespace that is out of scope, and those with
//! a date that cannot be right. Only firing signals are checked: the others ask for nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use onceway_signal::rules::Rules;
use onceway_signal::{Rejection, Signal, Source};
use thiserror::Error;

use crate::config::Events;

/// How far ahead of a replica's clock a signal may be dated: more than clocks of one system differ.
pub const MAX_AHEAD: Duration = Duration::from_secs(5 * 60);

/// The target rules with their scope, and how old an event may be.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    pub(super) rules: Arc<Rules>,
    events: Events,
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
    #[error("the signal is dated {dated}, more than {MAX_AHEAD:?} ahead; set the sender's clock")]
    Ahead { dated: Timestamp },
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
        }
    }
}

impl Policy {
    /// A policy of these rules and these settings.
    pub fn new(rules: Arc<Rules>, events: Events) -> Self {
        Self { rules, events }
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
        if is_longer(-age, MAX_AHEAD) {
            return Err(PolicyRejection::Ahead { dated });
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
