//! A figure, and how far it can be trusted.

use std::fmt;

/// How figures are made, for pages that say what has been measured.
pub(super) const METHOD: &str = "A figure is the median of the rounds, in brackets the innermost of them that enclose the true \
    median in 15 of 16 cases (of fewer than nine\nrounds: the least and the greatest); a ratio is the median of the rounds' ratios.";

/// A value, and the interval that it is somewhere in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Figure {
    /// The median of all rounds, between the innermost two of them that enclose the true median in at least 15 of 16 cases,
    /// whatever the distribution (of fewer than five rounds: the outermost two, which do so less often); `None` of none.
    pub(super) fn over(mut rounds: Vec<f64>) -> Option<Self> {
        rounds.sort_by(f64::total_cmp);
        let outside = outside(rounds.len());
        let (low, high) = (*rounds.get(outside)?, *rounds.get(rounds.len() - 1 - outside)?);
        let middle = rounds.len() / 2;
        let value =
            if rounds.len().is_multiple_of(2) { rounds[middle - 1].midpoint(rounds[middle]) } else { rounds[middle] };
        Some(Self { value, low, high })
    }

    /// The median of all rounds, between the least and the greatest of them; `None` of none.
    pub(super) fn of_all(rounds: Vec<f64>) -> Option<Self> {
        let (low, high) = rounds
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), round| (low.min(*round), high.max(*round)));
        Some(Self { low, high, ..Self::over(rounds)? })
    }

    /// Whether a ratio may as well be 1.
    pub(super) fn is_drowned(&self) -> bool {
        self.low <= 1.0 && self.high >= 1.0
    }
}

/// How many rounds at each end lie outside the interval. Each round is as likely above the true median as below it, so that
/// it is outside, at either end, as often as a coin that is tossed once for each round shows that few heads.
fn outside(rounds: usize) -> usize {
    const AT_MOST: f64 = 1.0 / 32.0;
    let mut heads = 0;
    let mut likely = 0.5_f64.powf(rounds as f64);
    let mut at_most = likely;
    loop {
        likely *= rounds.saturating_sub(heads) as f64 / (heads + 1) as f64;
        at_most += likely;
        if likely == 0.0 || at_most > AT_MOST {
            return heads;
        }
        heads += 1;
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

/// A figure as a table has it, where there may be none.
pub(super) fn cell(figure: Option<Figure>) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| figure.to_string())
}

/// Three digits that mean something.
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

/// A number of things: all of its digits.
pub(super) fn count(value: f64) -> String {
    grouped(&format!("{value:.0}"))
}

/// A whole number with a comma between its thousands.
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
    fn figures_have_three_digits() {
        let all = [0.0, 0.04712, 0.5, 1.0, 9.999, 61.23, 99.99, 2259.4, 12_345_678.0, -1000.0];
        let text = all.map(digits).join(" ");
        assert_eq!(text, "0 0.0471 0.500 1.00 10.0 61.2 100 2,259 12,345,678 -1,000");
        assert_eq!(digits(f64::NAN), "NaN");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        let figure = Figure::over(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(figure.to_string(), "2.50 [1.00 4.00]");
        assert_eq!(Figure::over(vec![7.0]).unwrap().to_string(), "7.00");
        assert_eq!(Figure::over(Vec::new()), None);
    }

    #[test]
    fn the_interval_holds_the_true_median_in_15_of_16_cases() {
        // The table of the sign test: at most so many of the rounds on one side, with a chance of at most 1 in 32.
        let rounds = [0, 1, 2, 5, 8, 9, 11, 12, 15, 30].map(outside);
        assert_eq!(rounds, [0, 0, 0, 0, 0, 1, 1, 2, 3, 9]);
        let figure = Figure::over((1..=9).map(f64::from).collect()).unwrap();
        assert_eq!((figure.low, figure.value, figure.high), (2.0, 5.0, 8.0));
    }

    #[test]
    fn a_ratio_whose_interval_holds_1_says_nothing() {
        assert!(Figure { value: 1.1, low: 0.9, high: 1.2 }.is_drowned());
        assert!(!Figure { value: 1.1, low: 1.05, high: 1.2 }.is_drowned());
    }
}
