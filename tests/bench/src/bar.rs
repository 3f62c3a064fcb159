//! The bars (targets) that figures must meet, and whether they do.

use std::fmt;

use super::figure::{Figure, digits};

/// Whether a figure meets its bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The whole interval meets it.
    Met,
    /// The bar is inside the interval: the difference is within the noise.
    Unclear,
    /// The whole interval misses it, or there is no figure.
    Missed,
}

/// The bound of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// A figure compared with its bar.
#[derive(Clone, Debug)]
pub(super) struct BarCheck {
    pub(super) status: Status,
    what: String,
    figure: Option<Figure>,
    bar: Bar,
}

impl Bar {
    fn status(self, figure: Figure) -> Status {
        let (certainly, possibly) = match self {
            Self::AtMost(bar) => (figure.high <= bar, figure.low <= bar),
            Self::AtLeast(bar) => (figure.low >= bar, figure.high >= bar),
        };
        match (certainly, possibly) {
            (true, _) => Status::Met,
            (false, true) => Status::Unclear,
            // Includes NaN.
            (false, false) => Status::Missed,
        }
    }
}

impl BarCheck {
    /// Compares the figure of `what`. A figure that was not measured misses its bar.
    pub(super) fn new(what: impl Into<String>, figure: Option<Figure>, bar: Bar) -> Self {
        let status = figure.map_or(Status::Missed, |figure| bar.status(figure));
        Self { status, what: what.into(), figure, bar }
    }

    /// Compares a figure that must meet its bar in each of these rounds: one miss is a miss.
    pub(super) fn every_round(what: impl Into<String>, rounds: Vec<f64>, bar: Bar) -> Self {
        let check = Self::new(what, Figure::of_all(rounds), bar);
        let status = if check.status == Status::Met { Status::Met } else { Status::Missed };
        Self { status, ..check }
    }

    /// One line: what, its bar, its figure and the status.
    pub(super) fn text(&self) -> String {
        self.cells().join(" ")
    }

    /// A table row: what, its bar, its figure and the status.
    pub(super) fn cells(&self) -> [String; 4] {
        let figure = self.figure.map_or_else(|| "not measured".to_owned(), |figure| figure.to_string());
        [self.what.clone(), self.bar.to_string(), figure, self.status.to_string()]
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

impl fmt::Display for Status {
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
    use super::{Bar, BarCheck, Figure, Status};

    #[test]
    fn a_bar_inside_the_interval_is_neither_met_nor_missed() {
        let figure = Some(Figure { value: 1.7, low: 1.6, high: 1.9 });
        let check = |bar| BarCheck::new("it", figure, bar).status;
        assert_eq!([2.0, 1.8, 1.5].map(Bar::AtMost).map(check), [Status::Met, Status::Unclear, Status::Missed]);
        assert_eq!([1.5, 1.8, 2.0].map(Bar::AtLeast).map(check), [Status::Met, Status::Unclear, Status::Missed]);
    }

    #[test]
    fn a_bar_for_every_round_is_missed_by_one_round() {
        let check = |last| BarCheck::every_round("it", [vec![1.0; 30], vec![last]].concat(), Bar::AtMost(1.0)).status;
        assert_eq!((check(1.0), check(2.0)), (Status::Met, Status::Missed));
        assert_eq!(BarCheck::every_round("it", Vec::new(), Bar::AtMost(1.0)).status, Status::Missed);
    }

    #[test]
    fn a_figure_that_was_not_measured_misses_its_bar() {
        let nothing = Figure { value: f64::NAN, low: f64::NAN, high: f64::NAN };
        for bar in [Bar::AtMost(1.0), Bar::AtLeast(1.0)] {
            assert_eq!(BarCheck::new("it", Some(nothing), bar).status, Status::Missed);
            assert_eq!(BarCheck::new("it", None, bar).status, Status::Missed);
        }
    }
}
