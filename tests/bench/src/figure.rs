//! A figure with its interval.

use std::fmt;

/// How figures are computed, for the method section of a page.
pub(super) const METHOD: &str = "A figure is the median over the rounds. The brackets are the tightest pair of rounds that contains the true \
    median with at\nleast 15/16 (94 %) confidence; with fewer than nine rounds, the minimum and maximum. A ratio is the median of the per-round ratios.";

/// A value and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Figure {
    /// The median of all rounds. The interval is the tightest pair of rounds that contains the true median with at least
    /// 15/16 confidence, for any distribution (sign test). With fewer than five rounds: minimum and maximum, whose confidence
    /// is lower. `None` without rounds.
    pub(super) fn over(mut rounds: Vec<f64>) -> Option<Self> {
        rounds.sort_by(f64::total_cmp);
        let outside = outside(rounds.len());
        let (low, high) = (*rounds.get(outside)?, *rounds.get(rounds.len() - 1 - outside)?);
        let middle = rounds.len() / 2;
        let value =
            if rounds.len().is_multiple_of(2) { rounds[middle - 1].midpoint(rounds[middle]) } else { rounds[middle] };
        Some(Self { value, low, high })
    }

    /// The median of all rounds, between their minimum and maximum; `None` without rounds.
    pub(super) fn of_all(rounds: Vec<f64>) -> Option<Self> {
        let (low, high) = rounds
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), round| (low.min(*round), high.max(*round)));
        Some(Self { low, high, ..Self::over(rounds)? })
    }

    /// Whether the interval of a ratio contains 1: no difference beyond the noise.
    pub(super) fn contains_one(&self) -> bool {
        self.low <= 1.0 && self.high >= 1.0
    }
}

/// How many rounds at each end are outside the interval: the largest `k` with P(Binomial(rounds, 1/2) <= k) <= 1/32, else 0.
/// A round is below the true median with probability 1/2, and the median is below the interval if at most `k` rounds are
/// below the median; likewise above.
fn outside(rounds: usize) -> usize {
    const TAIL: f64 = 1.0 / 32.0;
    let mut outside = 0;
    let mut probability = 0.5_f64.powf(rounds as f64);
    let mut cumulative = probability;
    loop {
        probability *= rounds.saturating_sub(outside) as f64 / (outside + 1) as f64;
        cumulative += probability;
        if probability == 0.0 || cumulative > TAIL {
            return outside;
        }
        outside += 1;
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, low, high } = *self;
        if low == high {
            return f.pad(&digits(value));
        }
        f.pad(&format!("{} [{} {}]", digits(value), digits(low), digits(high)))
    }
}

/// A figure as a table cell; `-` without one.
pub(super) fn cell(figure: Option<Figure>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string())
}

/// A value with three significant digits, at most four decimals, and grouped thousands.
pub(super) fn digits(value: f64) -> String {
    let places = match value.abs() {
        0.0 => 0,
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.9995 => 2,
        size if size >= 0.09995 => 3,
        _ => 4,
    };
    let text = format!("{value:.places$}");
    if value.is_finite() && places == 0 { grouped(&text) } else { text }
}

/// A count: all digits, grouped.
pub(super) fn count(value: f64) -> String {
    grouped(&format!("{value:.0}"))
}

/// Inserts thousands separators into a whole number.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Figure, digits, outside};

    #[test]
    fn figures_have_three_significant_digits() {
        let all = [0.0, 0.04712, 0.5, 1.0, 9.999, 61.23, 99.99, 2259.4, 12_345_678.0, -1000.0];
        let text = all.map(digits).join(" ");
        assert_eq!(text, "0 0.0471 0.500 1.00 10.0 61.2 100 2,259 12,345,678 -1,000");
        assert_eq!(digits(f64::NAN), "NaN");
    }

    #[test]
    fn the_median_of_an_even_number_of_rounds_is_between_two() {
        let figure = Figure::over(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(figure.to_string(), "2.50 [1.00 4.00]");
        assert_eq!(Figure::over(vec![7.0]).unwrap().to_string(), "7.00");
        assert_eq!(Figure::over(Vec::new()), None);
    }

    #[test]
    fn the_interval_contains_the_true_median_with_15_of_16_confidence() {
        // The sign test's table for a one-sided probability of at most 1/32.
        let rounds = [0, 1, 2, 5, 8, 9, 11, 12, 15, 30].map(outside);
        assert_eq!(rounds, [0, 0, 0, 0, 0, 1, 1, 2, 3, 9]);
        let figure = Figure::over((1..=9).map(f64::from).collect()).unwrap();
        assert_eq!((figure.low, figure.value, figure.high), (2.0, 5.0, 8.0));
    }

    #[test]
    fn a_ratio_whose_interval_contains_1_shows_no_difference() {
        assert!(Figure { value: 1.1, low: 0.9, high: 1.2 }.contains_one());
        assert!(!Figure { value: 1.1, low: 1.05, high: 1.2 }.contains_one());
    }
}
