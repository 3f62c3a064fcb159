//! A figure, and how far it can be trusted.

use std::fmt;

/// A value, and the interval that it is somewhere in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Figure {
    /// The median of all rounds between the least and the greatest of them; `None` of none. (Of five rounds the interval
    /// holds the true median in 15 of 16 cases.)
    pub(super) fn over(mut rounds: Vec<f64>) -> Option<Self> {
        rounds.sort_by(f64::total_cmp);
        let (low, high) = (*rounds.first()?, *rounds.last()?);
        let middle = rounds.len() / 2;
        let value =
            if rounds.len().is_multiple_of(2) { rounds[middle - 1].midpoint(rounds[middle]) } else { rounds[middle] };
        Some(Self { value, low, high })
    }

    /// Whether a ratio may as well be 1.
    pub(super) fn is_drowned(&self) -> bool {
        self.low <= 1.0 && self.high >= 1.0
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
    use super::{Figure, digits};

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
    fn a_ratio_whose_interval_holds_1_says_nothing() {
        assert!(Figure { value: 1.1, low: 0.9, high: 1.2 }.is_drowned());
        assert!(!Figure { value: 1.1, low: 1.05, high: 1.2 }.is_drowned());
    }
}
