//! What was measured: one value a row, so that anyone can read it, judge it and draw it again.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::figure::Figure;

/// How a line of the heading begins in a file.
const COMMENT: &str = "# ";

/// One value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// What was done.
    pub(super) case: String,
    /// Who did it.
    pub(super) contender: String,
    /// What the case varies; 0 where it varies nothing.
    pub(super) x: f64,
    /// Which round, from 0; what was measured in one round was measured side by side.
    pub(super) round: u32,
    /// What the value is, with its unit.
    pub(super) metric: String,
    /// The value.
    pub(super) value: f64,
}

/// All values of one benchmark.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Data {
    /// On what, when and by which command it was measured.
    pub(super) heading: Vec<String>,
    rows: Vec<Row>,
}

/// A case, one of its contenders, and the value that the case varies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct At<'a> {
    pub(super) case: &'a str,
    pub(super) contender: &'a str,
    pub(super) x: f64,
}

impl At<'_> {
    /// The same of another contender.
    pub(super) fn of<'b>(&self, contender: &'b str) -> At<'b>
    where
        Self: 'b,
    {
        At { case: self.case, contender, x: self.x }
    }
}

impl Data {
    /// Adds what was measured of one contender in one round.
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

    /// The values of one metric, in the order in which they were added, with their rounds.
    pub(super) fn values<'a>(&'a self, at: At<'a>, metric: &'a str) -> impl Iterator<Item = (u32, f64)> + 'a {
        let of = move |row: &&Row| {
            row.metric == metric && row.case == at.case && row.contender == at.contender && row.x == at.x
        };
        self.rows.iter().filter(of).map(|row| (row.round, row.value))
    }

    /// The figure over all rounds; `None` where nothing was measured.
    pub(super) fn figure(&self, at: At<'_>, metric: &str) -> Option<Figure> {
        Figure::over(self.values(at, metric).map(|(_, value)| value).collect())
    }

    /// By how many times the first is more than the second. Divided round by round: neighbours in time had the same
    /// neighbours.
    pub(super) fn ratio(&self, ours: At<'_>, theirs: At<'_>, metric: &str) -> Option<Figure> {
        self.round_by_round(ours, theirs, metric, |value, other| value / other)
    }

    /// How much more the first is than the second, round by round.
    pub(super) fn difference(&self, ours: At<'_>, theirs: At<'_>, metric: &str) -> Option<Figure> {
        self.round_by_round(ours, theirs, metric, |value, other| value - other)
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

    /// The figures of a metric over all that the case was varied by.
    pub(super) fn line(&self, at: At<'_>, metric: &str) -> Vec<(f64, Figure)> {
        let figure = |x| self.figure(At { x, ..at }, metric).map(|figure| (x, figure));
        self.xs(at.case).into_iter().filter_map(figure).collect()
    }

    /// All that a case was varied by, in ascending order.
    pub(super) fn xs(&self, case: &str) -> Vec<f64> {
        let mut xs: Vec<f64> = self.rows.iter().filter(|row| row.case == case).map(|row| row.x).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        xs
    }

    /// Each of a column's values once, in the order of their first appearance.
    pub(super) fn names(&self, column: impl Fn(&Row) -> &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.rows.iter().map(column) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Writes all of it to a file, as CSV below a heading.
    ///
    /// # Errors
    /// If that cannot be written.
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

    /// Reads what [`Data::write`] has written.
    ///
    /// # Errors
    /// If the file cannot be read, or is not of that shape.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let heading = text.lines().map_while(|line| line.strip_prefix(COMMENT)).map(str::to_owned).collect();
        let rows = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes()).into_deserialize();
        let rows = rows.collect::<Result<Vec<Row>, _>>();
        Ok(Self { heading, rows: rows.with_context(|| format!("{} is not raw data", path.display()))? })
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
    fn what_was_written_is_read_again() {
        let scratch = Scratch::new("bench-data").unwrap();
        let path = scratch.path().join("data.csv");
        data().write(&path).unwrap();
        assert_eq!(Data::read(&path).unwrap(), data());
    }

    #[test]
    fn a_file_of_another_shape_is_refused_by_name() {
        let scratch = Scratch::new("bench-data").unwrap();
        let path = scratch.path().join("other.csv");
        std::fs::write(&path, "a,b\n1,2\n").unwrap();
        assert!(Data::read(&path).unwrap_err().to_string().contains("other.csv"));
    }

    #[test]
    fn a_figure_is_the_median_of_the_rounds_and_a_ratio_that_of_their_ratios() {
        let rate = data().figure(OURS, "rate").unwrap();
        assert_eq!((rate.value, rate.low, rate.high), (30.0, 10.0, 40.0));
        let ratio = data().ratio(OURS, OURS.of("theirs"), "rate").unwrap();
        assert_eq!((ratio.value, ratio.low, ratio.high), (2.0, 1.0, 3.0));
        let difference = data().difference(OURS, OURS.of("theirs"), "rate").unwrap();
        assert_eq!((difference.value, difference.low, difference.high), (20.0, 0.0, 20.0));
        assert_eq!(data().figure(OURS.of("nobody"), "rate"), None);
    }

    #[test]
    fn a_round_that_one_of_two_lacks_is_not_compared() {
        let mut data = data();
        data.add(OURS, 3, [("rate", 1e9)]);
        assert_eq!(data.ratio(OURS, OURS.of("theirs"), "rate").unwrap().high, 3.0);
        assert_eq!(data.names(|row| &row.contender), ["ours", "theirs"]);
        assert_eq!(data.xs(OURS.case), [100.0]);
    }
}
