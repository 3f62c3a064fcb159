//! What became of a request to a signal path, for the metrics.

/// What became of a request to a signal path. Each such request has exactly one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// There was work for one incident's owner; the fingerprint was set.
    Fingerprinted,
    /// There was work for several incidents; each one's owner was sent its share, and the answers are merged.
    Split,
    /// There was work for several incidents, and the body could not be split; passed on with the first one's fingerprint.
    Several,
    /// There was no body, or no signal in it that has a fingerprint; passed on without one.
    Nothing,
    /// The body could not be decoded; passed on without a fingerprint, the sidecar answers.
    Undecodable,
    /// A limit of size or number was exceeded; answered 413 here.
    TooLarge,
    /// The proxy failed a call of the filter; passed on without a fingerprint. Counted for a request to any path, since
    /// the path may be what could not be read.
    Error,
}

impl Decision {
    /// All outcomes, in the order of their declaration.
    pub const ALL: [Decision; 7] = [
        Decision::Fingerprinted,
        Decision::Split,
        Decision::Several,
        Decision::Nothing,
        Decision::Undecodable,
        Decision::TooLarge,
        Decision::Error,
    ];

    /// The name of its counter. Envoy makes the part after `outcome` a label, if told to.
    pub const fn metric(self) -> &'static str {
        match self {
            Decision::Fingerprinted => "onceway_filter_requests_total.outcome.fingerprinted",
            Decision::Split => "onceway_filter_requests_total.outcome.split",
            Decision::Several => "onceway_filter_requests_total.outcome.several",
            Decision::Nothing => "onceway_filter_requests_total.outcome.nothing",
            Decision::Undecodable => "onceway_filter_requests_total.outcome.undecodable",
            Decision::TooLarge => "onceway_filter_requests_total.outcome.too_large",
            Decision::Error => "onceway_filter_requests_total.outcome.error",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Decision;

    #[test]
    fn each_outcome_stands_at_its_own_number() {
        assert!(Decision::ALL.iter().enumerate().all(|(index, outcome)| *outcome as usize == index));
    }

    #[test]
    fn each_outcome_has_a_counter_of_its_own() {
        let metrics = BTreeSet::from(Decision::ALL.map(Decision::metric));
        assert_eq!(metrics.len(), Decision::ALL.len());
        assert!(metrics.iter().all(|metric| metric.starts_with("onceway_filter_requests_total.outcome.")));
    }
}
