//! A bar that a figure must meet, and whether it does.

use std::fmt;

use super::figure::{Figure, digits};

/// Whether a figure meets its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It does, with all of its interval.
    Met,
    /// The bar lies within the interval: noise drowns the difference.
    Unclear,
    /// It does not, with all of its interval.
    Missed,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// A figure that was judged.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    what: String,
    figure: Option<Figure>,
    bar: Bar,
}

impl Bar {
    fn verdict(self, figure: Figure) -> Verdict {
        let (surely, perhaps) = match self {
            Self::AtMost(bar) => (figure.high <= bar, figure.low <= bar),
            Self::AtLeast(bar) => (figure.low >= bar, figure.high >= bar),
        };
        match (surely, perhaps) {
            (true, _) => Verdict::Met,
            (false, true) => Verdict::Unclear,
            // Not a number meets no bar.
            (false, false) => Verdict::Missed,
        }
    }
}

impl Judged {
    /// Judges what was measured of `what`. What was not measured meets no bar.
    pub(super) fn new(what: impl Into<String>, figure: Option<Figure>, bar: Bar) -> Self {
        let verdict = figure.map_or(Verdict::Missed, |figure| bar.verdict(figure));
        Self { verdict, what: what.into(), figure, bar }
    }

    /// Judges what must be so in each of these rounds: one that is not is a miss.
    pub(super) fn always(what: impl Into<String>, rounds: Vec<f64>, bar: Bar) -> Self {
        let judged = Self::new(what, Figure::of_all(rounds), bar);
        let verdict = if judged.verdict == Verdict::Met { Verdict::Met } else { Verdict::Missed };
        Self { verdict, ..judged }
    }

    /// As a line: what, its bar, its figure and the verdict.
    pub(super) fn text(&self) -> String {
        self.cells().join(" ")
    }

    /// The cells of a table's row: what, its bar, its figure and the verdict.
    pub(super) fn cells(&self) -> [String; 4] {
        let figure = self.figure.map_or_else(|| "not measured".to_owned(), |figure| figure.to_string());
        [self.what.clone(), self.bar.to_string(), figure, self.verdict.to_string()]
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(bar) => write!(f, "at most {}", digits(*bar)),
            Self::AtLeast(bar) => write!(f, "at least {}", digits(*bar)),
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
    use super::{Bar, Figure, Judged, Verdict};

    #[test]
    fn a_bar_within_the_interval_is_neither_met_nor_missed() {
        let figure = Some(Figure { value: 1.7, low: 1.6, high: 1.9 });
        let judge = |bar| Judged::new("it", figure, bar).verdict;
        assert_eq!([2.0, 1.8, 1.5].map(Bar::AtMost).map(judge), [Verdict::Met, Verdict::Unclear, Verdict::Missed]);
        assert_eq!([1.5, 1.8, 2.0].map(Bar::AtLeast).map(judge), [Verdict::Met, Verdict::Unclear, Verdict::Missed]);
    }

    #[test]
    fn what_must_be_so_in_each_round_is_missed_by_one_of_many() {
        let judge = |last| Judged::always("it", [vec![1.0; 30], vec![last]].concat(), Bar::AtMost(1.0)).verdict;
        assert_eq!((judge(1.0), judge(2.0)), (Verdict::Met, Verdict::Missed));
        assert_eq!(Judged::always("it", Vec::new(), Bar::AtMost(1.0)).verdict, Verdict::Missed);
    }

    #[test]
    fn what_was_not_measured_meets_no_bar() {
        let nothing = Figure { value: f64::NAN, low: f64::NAN, high: f64::NAN };
        for bar in [Bar::AtMost(1.0), Bar::AtLeast(1.0)] {
            assert_eq!(Judged::new("it", Some(nothing), bar).verdict, Verdict::Missed);
            assert_eq!(Judged::new("it", None, bar).verdict, Verdict::Missed);
        }
    }
}
