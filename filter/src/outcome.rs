//! What became of a request to a signal path, for the metrics.

/// What became of a request to a signal path. Each such request has exactly one outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
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

impl Outcome {
    /// All outcomes, in the order of their declaration.
    pub const ALL: [Outcome; 7] = [
        Outcome::Fingerprinted,
        Outcome::Split,
        Outcome::Several,
        Outcome::Nothing,
        Outcome::Undecodable,
        Outcome::TooLarge,
        Outcome::Error,
    ];

    /// The name of its counter. Envoy makes the part after `outcome` a label, if told to.
    pub const fn metric(self) -> &'static str {
        match self {
            Outcome::Fingerprinted => "onceway_filter_requests_total.outcome.fingerprinted",
            Outcome::Split => "onceway_filter_requests_total.outcome.split",
            Outcome::Several => "onceway_filter_requests_total.outcome.several",
            Outcome::Nothing => "onceway_filter_requests_total.outcome.nothing",
            Outcome::Undecodable => "onceway_filter_requests_total.outcome.undecodable",
            Outcome::TooLarge => "onceway_filter_requests_total.outcome.too_large",
            Outcome::Error => "onceway_filter_requests_total.outcome.error",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Outcome;

    #[test]
    fn each_outcome_stands_at_its_own_number() {
        assert!(Outcome::ALL.iter().enumerate().all(|(index, outcome)| *outcome as usize == index));
    }

    #[test]
    fn each_outcome_has_a_counter_of_its_own() {
        let metrics = BTreeSet::from(Outcome::ALL.map(Outcome::metric));
        assert_eq!(metrics.len(), Outcome::ALL.len());
        assert!(metrics.iter().all(|metric| metric.starts_with("onceway_filter_requests_total.outcome.")));
    }
}
