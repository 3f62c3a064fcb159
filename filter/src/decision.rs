//! What the filter did with a request to a signal path, for the metrics.

/// What the filter did with a request to a signal path. Exactly one per request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// One incident to send to its owner: the fingerprint was set.
    Fingerprinted,
    /// Several incidents fire: each partition was sent to its owner; the responses are merged.
    Split,
    /// Several incidents fire, but the body could not be split: passed through whole with the first one's fingerprint.
    Several,
    /// No body, or no signal with a fingerprint: passed through without one.
    Nothing,
    /// Not decodable: passed through without a fingerprint; the sidecar rejects it.
    Undecodable,
    /// Exceeds a limit: the filter responded 413.
    TooLarge,
    /// Other bodies hold what `max_buffered_bytes` allows, or a split has no time to end: the filter responded 503.
    Shed,
    /// A host call failed: passed through without a fingerprint. Counted on every path, since the path itself may be what
    /// could not be read.
    Error,
}

impl Decision {
    /// All decisions, in declaration order.
    pub const ALL: [Decision; 8] = [
        Decision::Fingerprinted,
        Decision::Split,
        Decision::Several,
        Decision::Nothing,
        Decision::Undecodable,
        Decision::TooLarge,
        Decision::Shed,
        Decision::Error,
    ];

    /// The name of its counter. With a `stats_tags` rule, Envoy turns the part after `outcome` into a label.
    pub const fn metric(self) -> &'static str {
        match self {
            Decision::Fingerprinted => "onceway_filter_requests_total.outcome.fingerprinted",
            Decision::Split => "onceway_filter_requests_total.outcome.split",
            Decision::Several => "onceway_filter_requests_total.outcome.several",
            Decision::Nothing => "onceway_filter_requests_total.outcome.nothing",
            Decision::Undecodable => "onceway_filter_requests_total.outcome.undecodable",
            Decision::TooLarge => "onceway_filter_requests_total.outcome.too_large",
            Decision::Shed => "onceway_filter_requests_total.outcome.shed",
            Decision::Error => "onceway_filter_requests_total.outcome.error",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Decision;

    #[test]
    fn the_index_in_all_is_the_discriminant() {
        assert!(Decision::ALL.iter().enumerate().all(|(index, decision)| *decision as usize == index));
    }

    #[test]
    fn each_decision_has_its_own_counter() {
        let metrics = BTreeSet::from(Decision::ALL.map(Decision::metric));
        assert_eq!(metrics.len(), Decision::ALL.len());
        assert!(metrics.iter().all(|metric| metric.starts_with("onceway_filter_requests_total.outcome.")));
    }
}
