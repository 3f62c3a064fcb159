//! Raw data: one value per row, so that anyone can recompute the figures and redraw the charts.

use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::figure::{Figure, count};

/// The prefix of heading lines in a file.
const COMMENT: &str = "# ";

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// The kind of load.
    pub(super) case: String,
    /// The system that was measured.
    pub(super) contender: String,
    /// The quantity that the case varies; 0 if none.
    pub(super) x: f64,
    /// The round, from 0. Values of one round were measured side by side.
    pub(super) round: u32,
    /// The quantity measured, with its unit.
    pub(super) metric: String,
    /// The value.
    pub(super) value: f64,
}

/// All values of one benchmark.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Data {
    /// The command, date, commit and machine.
    pub(super) heading: Vec<String>,
    rows: Vec<Row>,
}

/// A case, a contender, and the value of the quantity that the case varies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct At<'a> {
    pub(super) case: &'a str,
    pub(super) contender: &'a str,
    pub(super) x: f64,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.x {
            0.0 => write!(f, "{}, {}", self.case, self.contender),
            x => write!(f, "{}: {}, {}", self.case, count(x), self.contender),
        }
    }
}

impl At<'_> {
    /// The same for another contender.
    pub(super) fn of<'b>(&self, contender: &'b str) -> At<'b>
    where
        Self: 'b,
    {
        At { case: self.case, contender, x: self.x }
    }
}

impl Data {
    /// Adds the values of one contender in one round.
    pub(super) fn add(&mut self, at: At<'_>, round: u32, values: impl IntoIterator<Item = (&'static str, f64)>) {
        let row = |(metric, value): (&str, f64)| Row {
            case: at.case.to_owned(),
            contender: at.contender.to_owned(),
            x: at.x,
            round,
            metric: metric.to_owned(),
            value,
        };
        self.rows.extend(values.into_iter().map(row));
    }

    /// A contender all of whose values of this metric are 0.
    pub(super) fn contender_without(&self, metric: &str) -> Option<String> {
        let is_above = |row: &Row| row.metric == metric && row.value > 0.0;
        let has_some = |name: &String| self.rows.iter().any(|row| row.contender == *name && is_above(row));
        self.names(|row| &row.contender).into_iter().find(|name| !has_some(name))
    }

    /// The values of one metric with their rounds, in insertion order.
    pub(super) fn values<'a>(&'a self, at: At<'a>, metric: &'a str) -> impl Iterator<Item = (u32, f64)> + 'a {
        let of = move |row: &&Row| {
            row.metric == metric && row.case == at.case && row.contender == at.contender && row.x == at.x
        };
        self.rows.iter().filter(of).map(|row| (row.round, row.value))
    }

    /// The figure over all rounds; `None` if there are no values.
    pub(super) fn figure(&self, at: At<'_>, metric: &str) -> Option<Figure> {
        Figure::over(self.values(at, metric).map(|(_, value)| value).collect())
    }

    /// `ours` divided by `theirs`, round by round: both values of a round were measured under the same conditions.
    pub(super) fn ratio(&self, ours: At<'_>, theirs: At<'_>, metric: &str) -> Option<Figure> {
        self.round_by_round(ours, theirs, metric, |value, other| value / other)
    }

    /// `ours` minus `theirs`, round by round.
    pub(super) fn difference(&self, ours: At<'_>, theirs: At<'_>, metric: &str) -> Option<Figure> {
        self.round_by_round(ours, theirs, metric, |value, other| value - other)
    }

    /// What `ours` adds to `base` divided by what `theirs` adds to it, round by round.
    pub(super) fn ratio_of_added(&self, ours: At<'_>, theirs: At<'_>, base: At<'_>, metric: &str) -> Option<Figure> {
        let of_round = |at, round| self.values(at, metric).find(|(other, _)| *other == round).map(|(_, value)| value);
        let compared = self.values(ours, metric).filter_map(|(round, value)| {
            let (theirs, base) = (of_round(theirs, round)?, of_round(base, round)?);
            Some((value - base) / (theirs - base))
        });
        Figure::over(compared.collect())
    }

    fn round_by_round(
        &self,
        ours: At<'_>,
        theirs: At<'_>,
        metric: &str,
        compare: impl Fn(f64, f64) -> f64,
    ) -> Option<Figure> {
        let theirs: Vec<(u32, f64)> = self.values(theirs, metric).collect();
        let compared = self.values(ours, metric).filter_map(|(round, value)| {
            let (_, other) = theirs.iter().find(|(other, _)| *other == round)?;
            Some(compare(value, *other))
        });
        Figure::over(compared.collect())
    }

    /// The figures of a metric over the quantity that the case varies.
    pub(super) fn line(&self, at: At<'_>, metric: &str) -> Vec<(f64, Figure)> {
        let figure = |x| self.figure(At { x, ..at }, metric).map(|figure| (x, figure));
        self.xs(at.case).into_iter().filter_map(figure).collect()
    }

    /// The values of the quantity that a case varies, in ascending order.
    pub(super) fn xs(&self, case: &str) -> Vec<f64> {
        let mut xs: Vec<f64> = self.rows.iter().filter(|row| row.case == case).map(|row| row.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        xs
    }

    /// The distinct values of a column, in order of first appearance.
    pub(super) fn names(&self, column: impl Fn(&Row) -> &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.rows.iter().map(column) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Writes CSV below the heading.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut file = std::io::BufWriter::new(file);
        for line in &self.heading {
            writeln!(file, "{COMMENT}{line}")?;
        }
        let mut csv = csv::Writer::from_writer(file);
        self.rows.iter().try_for_each(|row| csv.serialize(row))?;
        Ok(csv.flush()?)
    }

    /// Reads a file of [`Data::write`].
    ///
    /// # Errors
    /// If the file cannot be read or has another format.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let heading = text.lines().map_while(|line| line.strip_prefix(COMMENT)).map(str::to_owned).collect();
        let rows = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes()).into_deserialize();
        let rows = rows.collect::<Result<Vec<Row>, _>>();
        Ok(Self { heading, rows: rows.with_context(|| format!("{} is not raw data of a benchmark", path.display()))? })
    }
}

#[cfg(test)]
mod tests {
    use super::{At, Data};
    use onceway_kit::scratch::Scratch;

    const OURS: At<'static> = At { case: "storm, \"100\" at a time", contender: "ours", x: 100.0 };

    fn data() -> Data {
        let mut data = Data { heading: vec!["two cores".into(), "a command".into()], ..Data::default() };
        for (round, value) in [(0, 10.0), (1, 40.0), (2, 30.0)] {
            data.add(OURS, round, [("rate", value), ("p50", 1.5)]);
            data.add(OURS.of("theirs"), round, [("rate", value / f64::from(round + 1))]);
        }
        data
    }

    #[test]
    fn a_contender_that_counts_nothing_is_named() {
        let mut data = data();
        assert_eq!(data.contender_without("rate"), None);
        data.add(OURS.of("broken"), 0, [("rate", 0.0), ("p50", 7.0)]);
        assert_eq!(data.contender_without("rate").as_deref(), Some("broken"));
    }

    #[test]
    fn a_written_file_reads_back_the_same() {
        let scratch = Scratch::new("bench-data").unwrap();
        let path = scratch.path().join("data.csv");
        data().write(&path).unwrap();
        assert_eq!(Data::read(&path).unwrap(), data());
    }

    #[test]
    fn a_file_of_another_format_is_an_error_that_names_it() {
        let scratch = Scratch::new("bench-data").unwrap();
        let path = scratch.path().join("other.csv");
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        assert!(Data::read(&path).unwrap_err().to_string().contains("other.csv"));
    }

    #[test]
    fn a_figure_is_the_median_of_the_rounds_and_a_ratio_the_median_of_their_ratios() {
        let rate = data().figure(OURS, "rate").unwrap();
        assert_eq!((rate.value, rate.low, rate.high), (30.0, 10.0, 40.0));
        let ratio = data().ratio(OURS, OURS.of("theirs"), "rate").unwrap();
        assert_eq!((ratio.value, ratio.low, ratio.high), (2.0, 1.0, 3.0));
        let difference = data().difference(OURS, OURS.of("theirs"), "rate").unwrap();
        assert_eq!((difference.value, difference.low, difference.high), (20.0, 0.0, 20.0));
        assert_eq!(data().figure(OURS.of("not measured"), "rate"), None);
    }

    #[test]
    fn what_two_contenders_add_to_a_third_is_compared_round_by_round() {
        let mut data = data();
        for round in 0..3 {
            data.add(OURS.of("base"), round, [("rate", 5.0)]);
        }
        // (10 - 5) / (10 - 5), (40 - 5) / (20 - 5), (30 - 5) / (10 - 5).
        let ratio = data.ratio_of_added(OURS, OURS.of("theirs"), OURS.of("base"), "rate").unwrap();
        assert_eq!((ratio.value, ratio.low, ratio.high), (35.0 / 15.0, 1.0, 5.0));
    }

    #[test]
    fn a_round_that_one_contender_lacks_is_not_compared() {
        let mut data = data();
        data.add(OURS, 3, [("rate", 1e9)]);
        assert_eq!(data.ratio(OURS, OURS.of("theirs"), "rate").unwrap().high, 3.0);
        assert_eq!(data.names(|row| &row.contender), ["ours", "theirs"]);
        assert_eq!(data.xs(OURS.case), [100.0]);
    }
}
