//! The webhooks that are sent.

use std::fmt;

use onceway_kit::payload::{Incident, webhook};

use super::upstream;

/// A kind of webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    /// One alert.
    One,
    /// Three alerts of as many incidents, which the filter splits.
    Three,
    /// Sixty alerts of as many incidents, which the filter splits.
    Sixty,
    /// Sixty alerts of one incident, which it need not split.
    SixtyOfOne,
}

/// How many webhooks of a kind are sent in turn: their incidents belong to all replicas.
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

    /// How many alerts it has.
    pub(super) const fn alerts(self) -> usize {
        match self {
            Self::One => 1,
            Self::Three => 3,
            Self::Sixty | Self::SixtyOfOne => 60,
        }
    }

    /// How many requests reach replicas if the filter is there.
    pub(super) const fn parts(self) -> usize {
        match self {
            Self::One | Self::SixtyOfOne => 1,
            Self::Three => 3,
            Self::Sixty => 60,
        }
    }

    /// Connections that are kept busy: enough for a worker never to lack work. Of large splits, answers come in step, and
    /// fewer of them are counted the more exactly.
    pub(super) const fn connections(self) -> usize {
        if self.parts() == 60 { 8 } else { 48 }
    }

    /// The answer's status, if the filter is there: what replicas say, or what it makes of several such answers.
    pub(super) const fn status(self) -> u16 {
        if self.parts() == 1 { upstream::STATUS } else { 207 }
    }

    /// Webhooks of this kind.
    pub(super) fn bodies(self) -> Vec<String> {
        let incidents = Incident::several("prod", VARIANTS + self.alerts());
        (0..VARIANTS)
            .map(|first| {
                let incident = |n: usize| if self.parts() == 1 { first } else { first + n };
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
