//! Which lines of a file run: read from the LCOV format, one file after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The lines of a file that hold code, and whether each was run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(BTreeMap<usize, bool>);

impl Lines {
    /// Only the lines that `keep` is true of.
    pub(crate) fn only(self, keep: impl Fn(usize) -> bool) -> Self {
        Self(self.0.into_iter().filter(|(line, _)| keep(*line)).collect())
    }

    /// How many lines were run, and how many there are.
    pub(crate) fn share(&self) -> Share {
        Share { run: self.0.values().filter(|run| **run).count(), all: self.0.len() }
    }

    /// Lines that were not run, as ranges; lines without code between two of them do not break a range.
    pub(crate) fn missed(&self) -> String {
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        let mut before = true;
        for (&line, &run) in &self.0 {
            match ranges.last_mut() {
                Some((_, end)) if !run && !before => *end = line,
                _ if !run => ranges.push((line, line)),
                _ => {}
            }
            before = run;
        }
        let text = |(from, to): &(usize, usize)| if from == to { from.to_string() } else { format!("{from}-{to}") };
        ranges.iter().map(text).collect::<Vec<_>>().join(" ")
    }
}

/// A share of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) run: usize,
    pub(crate) all: usize,
}

impl Share {
    /// Of both files together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { run: self.run + other.run, all: self.all + other.all }
    }

    /// Whether at least so many of a hundred lines were run.
    pub(crate) fn is_at_least(self, percent: usize) -> bool {
        self.run * 100 >= self.all * percent
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file of types has no line that runs.
        let percent = if self.all == 0 { 100.0 } else { self.run as f64 * 100.0 / self.all as f64 };
        write!(f, "{percent:5.1} %  {:5} of {:5}", self.run, self.all)
    }
}

/// Reads a report in the LCOV format; paths are given below `root`, and files outside of it are left out.
pub(crate) fn read(report: &str, root: &Path) -> Result<Vec<(PathBuf, Lines)>> {
    let mut files: Vec<(PathBuf, Lines)> = Vec::new();
    let mut ours = false;
    for line in report.lines() {
        if let Some(path) = line.strip_prefix("SF:") {
            let path = Path::new(path).strip_prefix(root);
            ours = path.is_ok();
            files.extend(path.map(|path| (path.to_owned(), Lines::default())));
        } else if let (Some(data), Some((_, lines)), true) = (line.strip_prefix("DA:"), files.last_mut(), ours) {
            let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
            let mut fields = data.split(',');
            let (line, count) = (number(fields.next()), number(fields.next()));
            lines.0.insert(line.context("no LCOV report")?, count.context("no LCOV report")? > 0);
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Share, read};

    const REPORT: &str = "SF:/w/a/src/x.rs\nFN:1,x\nDA:1,5\nDA:2,0\nDA:4,0\nDA:5,1\nDA:9,0\nend_of_record\n\
                          SF:/elsewhere/y.rs\nDA:1,0\nend_of_record\n";

    #[test]
    fn lines_are_read_file_by_file_and_only_ours() {
        let files = read(REPORT, Path::new("/w")).unwrap();
        assert_eq!(files.len(), 1);
        let (path, lines) = &files[0];
        assert_eq!(path, &PathBuf::from("a/src/x.rs"));
        assert_eq!(lines.share(), Share { run: 2, all: 5 });
        assert_eq!(lines.missed(), "2-4 9");
        assert_eq!(lines.clone().only(|line| line < 5).share(), Share { run: 1, all: 3 });
    }

    #[test]
    fn a_share_is_judged_without_rounding() {
        assert!(Share { run: 90, all: 100 }.is_at_least(90));
        assert!(!Share { run: 8999, all: 10_000 }.is_at_least(90));
        assert!(Share { run: 0, all: 0 }.is_at_least(90));
    }

    #[test]
    fn a_report_of_another_format_is_an_error() {
        assert!(read("SF:/w/x.rs\nDA:one,2\n", Path::new("/w")).is_err());
    }
}
