//! Compares the samples of two contenders, with a 95 % bootstrap interval. The bootstrap resamples rounds, not samples: a
//! disturbance of the machine lasts longer than one sample, so the samples of a round are not independent.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::samples::{Samples, Sorted};
use crate::figure::Figure;

/// Bootstrap resamples.
const DRAWS: usize = 1000;
/// The share of resamples outside the interval at either end.
const TAIL: f64 = 0.025;

/// `ours` divided by `bare` at this percentile.
pub(super) fn ratio(ours: &Samples, bare: &Samples, share: f64) -> Figure {
    compare(ours, bare, |ours, bare| ours.percentile(share) / bare.percentile(share))
}

/// `ours` minus `bare` at this percentile, in milliseconds.
pub(super) fn added(ours: &Samples, bare: &Samples, share: f64) -> Figure {
    compare(ours, bare, |ours, bare| ours.percentile(share) - bare.percentile(share))
}

fn compare(ours: &Samples, bare: &Samples, figure: impl Fn(&Sorted, &Sorted) -> f64) -> Figure {
    let rounds = ours.rounds().min(bare.rounds());
    // Fixed seed: the same samples give the same interval.
    let mut rng = StdRng::seed_from_u64(0);
    let mut draws: Vec<f64> = (0..DRAWS)
        .map(|_| {
            // The same rounds of both: they were measured side by side.
            let drawn: Vec<usize> = (0..rounds).map(|_| rng.random_range(0..rounds)).collect();
            figure(&ours.of_rounds(&drawn), &bare.of_rounds(&drawn))
        })
        .collect();
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws[((DRAWS - 1) as f64 * share).round() as usize];
    Figure { value: figure(&ours.all(), &bare.all()), low: at(TAIL), high: at(1.0 - TAIL) }
}

#[cfg(test)]
mod tests {
    use super::{Figure, added, ratio};
    use crate::latency::samples::Samples;

    /// Ten rounds of ten samples whose times drift from round to round.
    fn drifting(scale: f64) -> Samples {
        let time = |n: u32| (n / 10, scale * (1.0 + 0.1 * f64::from(n / 10) + 0.001 * f64::from(n % 10)));
        Samples::of((0..100).map(time))
    }

    #[test]
    fn a_drift_that_both_share_does_not_widen_the_interval_of_their_ratio() {
        let Figure { value, low, high } = ratio(&drifting(2.0), &drifting(1.0), 0.5);
        assert!((value - 2.0).abs() < 0.01 && high - low < 0.01, "{value} [{low} {high}]");
    }

    #[test]
    fn a_difference_is_in_milliseconds_and_inside_its_interval() {
        let Figure { value, low, high } = added(&drifting(2.0), &drifting(1.0), 0.99);
        assert!(low <= value && value <= high);
        assert!((1.8..2.0).contains(&value), "{value}");
    }
}
