//! The output of a benchmark: raw data, a page of tables, and charts.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::bar::{BarCheck, Status};
use super::chart::Chart;
use super::data::Data;
use super::table::Table;

/// The results of a benchmark.
pub(super) struct Report {
    /// What was measured and how, so that a reader can interpret the figures without the code.
    pub(super) method: String,
    /// Tables, with their titles.
    pub(super) tables: Vec<(String, Table)>,
    pub(super) charts: Vec<Chart>,
    pub(super) bars: Vec<BarCheck>,
}

impl Report {
    /// The missed bars.
    pub(super) fn missed(&self) -> impl Iterator<Item = &BarCheck> {
        self.bars.iter().filter(|bar| bar.status == Status::Missed)
    }

    /// The Markdown page of the benchmark `name`. Its charts are files beside it.
    pub(super) fn page(&self, name: &str, heading: &[String]) -> String {
        let mut page = format!("# {name}\n\n{}\n\n{}\n", self.method, heading.join("\n"));
        for (title, table) in
            self.tables.iter().map(|(title, table)| (title.as_str(), table.clone())).chain(self.bar_table())
        {
            page += &format!("\n## {title}\n\n{}", table.text());
        }
        for chart in &self.charts {
            page += &format!("\n![{}]({})\n", chart.title, file(name, chart));
        }
        page
    }

    fn bar_table(&self) -> Option<(&'static str, Table)> {
        let mut table = Table::new(["bar", "", "measured", ""]);
        self.bars.iter().for_each(|bar| table.row(bar.cells()));
        (!self.bars.is_empty()).then_some(("Bars", table))
    }

    /// The page and its charts: file names with contents.
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

    /// Writes the page and the charts to `dir`.
    ///
    /// # Errors
    /// If a chart cannot be drawn or a file cannot be written.
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

/// The path of a benchmark's raw data.
pub(super) fn raw(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.csv"))
}

/// Reads the raw data of a benchmark.
///
/// # Errors
/// If the file is missing or has another format.
pub(super) fn read(dir: &Path, name: &str) -> Result<Data> {
    Data::read(&raw(dir, name))
}
