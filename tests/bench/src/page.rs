//! What a benchmark leaves behind: raw data, a page of tables, and charts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::bar::{Judged, Verdict};
use super::chart::Chart;
use super::data::Data;
use super::table::Table;

/// What was found.
pub(super) struct Report {
    /// What was measured and how, so that the figures can be judged without the code.
    pub(super) method: String,
    /// Tables, with their titles.
    pub(super) tables: Vec<(String, Table)>,
    pub(super) charts: Vec<Chart>,
    pub(super) bars: Vec<Judged>,
}

impl Report {
    /// The bars that are surely missed.
    pub(super) fn missed(&self) -> impl Iterator<Item = &Judged> {
        self.bars.iter().filter(|bar| bar.verdict == Verdict::Missed)
    }

    /// The page, in Markdown, of the benchmark of this name. Charts are beside it.
    pub(super) fn page(&self, name: &str, heading: &[String]) -> String {
        let mut page = format!("# {name}\n\n{}\n\n{}\n", self.method, heading.join("\n"));
        for (title, table) in
            self.tables.iter().map(|(title, table)| (title.as_str(), table.clone())).chain(self.judged())
        {
            page += &format!("\n## {title}\n\n{}", table.text());
        }
        for chart in &self.charts {
            page += &format!("\n![{}]({})\n", chart.title, file(name, chart));
        }
        page
    }

    fn judged(&self) -> Option<(&'static str, Table)> {
        let mut table = Table::new(["bar", "", "measured", ""]);
        self.bars.iter().for_each(|bar| table.row(bar.cells()));
        (!self.bars.is_empty()).then_some(("Bars", table))
    }

    /// Every file of the page, with its text.
    ///
    /// # Errors
    /// If a chart cannot be drawn.
    pub(super) fn files(&self, name: &str, heading: &[String]) -> Result<Vec<(PathBuf, String)>> {
        let mut files = vec![(PathBuf::from(format!("{name}.md")), self.page(name, heading))];
        for chart in &self.charts {
            files.push((file(name, chart).into(), chart.svg()?));
        }
        Ok(files)
    }

    /// Writes the page and the charts of this benchmark to `dir`.
    ///
    /// # Errors
    /// If a chart cannot be drawn, or a file not be written.
    pub(super) fn write(&self, dir: &Path, name: &str, heading: &[String]) -> Result<()> {
        for (file, text) in self.files(name, heading)? {
            let path = dir.join(file);
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

fn file(name: &str, chart: &Chart) -> String {
    format!("{name}-{}.svg", chart.name)
}

/// Where the raw data of a benchmark is.
pub(super) fn raw(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.csv"))
}

/// Reads the raw data of a benchmark.
///
/// # Errors
/// If it is not there, or not of its shape.
pub(super) fn read(dir: &Path, name: &str) -> Result<Data> {
    Data::read(&raw(dir, name))
}
