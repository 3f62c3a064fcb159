//! Latencies of one contender by round, and their percentiles.

use std::collections::BTreeMap;

/// The reported percentiles.
pub(super) const PERCENTILES: [f64; 3] = [0.50, 0.95, 0.99];

/// The latencies of one contender.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// In milliseconds, by round.
    rounds: Vec<Vec<f64>>,
}

impl Samples {
    /// From latencies in milliseconds with their rounds.
    pub(super) fn of(values: impl Iterator<Item = (u32, f64)>) -> Self {
        let mut rounds: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for (round, value) in values {
            rounds.entry(round).or_default().push(value);
        }
        Self { rounds: rounds.into_values().collect() }
    }

    /// The number of rounds.
    pub(super) fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// The latencies of these rounds together; a round that is listed twice counts twice.
    pub(super) fn of_rounds(&self, rounds: &[usize]) -> Sorted {
        Sorted::new(rounds.iter().filter_map(|&round| self.rounds.get(round)).flatten().copied().collect())
    }

    /// All latencies.
    pub(super) fn all(&self) -> Sorted {
        Sorted::new(self.rounds.concat())
    }
}

/// Latencies in ascending order.
#[derive(Clone, Debug)]
pub(super) struct Sorted(Vec<f64>);

impl Sorted {
    fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// Their number.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The percentile by nearest rank; NaN without latencies.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    fn samples(rounds: &[&[u32]]) -> Samples {
        let with_round =
            |(round, times): (usize, &&[u32])| times.iter().map(move |&ms| (round as u32, f64::from(ms))).collect();
        Samples::of(rounds.iter().enumerate().flat_map(|round| -> Vec<(u32, f64)> { with_round(round) }))
    }

    #[test]
    fn a_percentile_is_a_measured_value() {
        let all = samples(&[&(51..=100).collect::<Vec<_>>(), &(1..=50).collect::<Vec<_>>()]).all();
        assert_eq!([0.5, 0.95, 0.99, 1.0].map(|share| all.percentile(share)), [50.0, 95.0, 99.0, 100.0]);
        assert_eq!(samples(&[&[7]]).all().percentile(0.5), 7.0);
        assert!(samples(&[&[]]).all().percentile(0.5).is_nan());
    }

    #[test]
    fn a_round_counts_as_often_as_it_is_listed() {
        let samples = samples(&[&[1, 2, 3], &[10]]);
        assert_eq!(samples.of_rounds(&[1, 1, 1, 0]).percentile(0.99), 10.0);
        assert_eq!(samples.of_rounds(&[0]).percentile(0.99), 3.0);
        assert_eq!(samples.rounds(), 2);
    }
}
