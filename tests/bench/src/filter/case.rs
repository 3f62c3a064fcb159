//! The webhooks that are sent.

use std::fmt;

use onceway_kit::payload::{Incident, webhook};

use super::upstream;

/// A kind of webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// One alert.
    One,
    /// Three alerts of three incidents: the filter splits it.
    Three,
    /// Sixty alerts of sixty incidents: the filter splits it.
    Sixty,
    /// Sixty alerts of one incident: not split.
    SixtyOfOne,
}

/// Webhooks of a kind that are sent in turn; enough for their incidents to be owned by all replicas.
const VARIANTS: usize = 60;

impl Case {
    pub(super) const ALL: [Self; 4] = [Self::One, Self::Three, Self::Sixty, Self::SixtyOfOne];

    /// Its name in tables and raw data.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::One => "one alert",
            Self::Three => "3 incidents",
            Self::Sixty => "60 incidents",
            Self::SixtyOfOne => "60 alerts of one incident",
        }
    }

    /// Its number of alerts.
    pub(super) const fn alerts(self) -> usize {
        match self {
            Self::One => 1,
            Self::Three => 3,
            Self::Sixty | Self::SixtyOfOne => 60,
        }
    }

    /// The number of requests that reach replicas if the filter is present.
    pub(super) const fn sub_requests(self) -> usize {
        match self {
            Self::One | Self::SixtyOfOne => 1,
            Self::Three => 3,
            Self::Sixty => 60,
        }
    }

    /// Connections that send requests: enough to keep a worker busy. Responses of large splits arrive in bursts; fewer
    /// connections make their rate more exact.
    pub(super) const fn connections(self) -> usize {
        if self.sub_requests() == 60 { 8 } else { 48 }
    }

    /// The response's status if the filter is present: that of the replicas, or 207 merged from several.
    pub(super) const fn status(self) -> u16 {
        if self.sub_requests() == 1 { upstream::STATUS } else { 207 }
    }

    /// Webhooks of this kind.
    pub(super) fn bodies(self) -> Vec<String> {
        let incidents = Incident::several("prod", VARIANTS + self.alerts());
        (0..VARIANTS)
            .map(|first| {
                let incident = |n: usize| if self.sub_requests() == 1 { first } else { first + n };
                let alerts: Vec<_> = (0..self.alerts()).map(|n| incidents[incident(n)].alert(n as u64)).collect();
                webhook(&alerts)
            })
            .collect()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
