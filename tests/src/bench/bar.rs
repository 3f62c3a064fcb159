//! A bar that a figure must not exceed, and whether it does.

use std::fmt;

use super::compare::Figure;

/// Whether a figure is below its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is, with all of its interval.
    Met,
    /// The bar lies within the interval: noise drowns the difference.
    Unclear,
    /// It is not, with all of its interval.
    Missed,
}

impl Verdict {
    /// Judges `figure` by the most that it may be.
    pub(super) fn at_most(bar: f64, figure: Figure) -> Self {
        if figure.high <= bar {
            Self::Met
        } else if figure.low <= bar {
            Self::Unclear
        } else {
            // Not a number is beyond every bar.
            Self::Missed
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Met => "met",
            Self::Unclear => "unclear",
            Self::Missed => "MISSED",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Verdict};

    #[test]
    fn a_bar_within_the_interval_is_neither_met_nor_missed() {
        let figure = Figure { value: 1.7, low: 1.6, high: 1.9 };
        assert_eq!(Verdict::at_most(2.0, figure), Verdict::Met);
        assert_eq!(Verdict::at_most(1.8, figure), Verdict::Unclear);
        assert_eq!(Verdict::at_most(1.5, figure), Verdict::Missed);
        let nothing = Figure { value: f64::NAN, low: f64::NAN, high: f64::NAN };
        assert_eq!(Verdict::at_most(1.5, nothing), Verdict::Missed);
    }
}
