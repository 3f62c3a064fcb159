//! What the checks found, as a table: a row for each check, a column for each gateway.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use anyhow::Result;

use crate::kind::{GATEWAYS, Kind};

/// How a check ended.
pub(crate) struct Outcome {
    /// Whether it passed, with a remark for the table, such as `12 retried`.
    pub(crate) result: Result<String>,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

/// The table; empty where a check did not run.
pub(crate) struct Matrix {
    rows: Vec<&'static str>,
    /// By row and gateway.
    cells: Mutex<BTreeMap<(&'static str, &'static str), String>>,
}

impl Matrix {
    pub(crate) fn new(rows: Vec<&'static str>) -> Self {
        Self { rows, cells: Mutex::default() }
    }

    pub(crate) fn record(&self, kind: Kind, row: &'static str, outcome: &Outcome) {
        let said = match &outcome.result {
            Ok(remark) if remark.is_empty() => "ok".to_owned(),
            Ok(remark) => format!("ok, {remark}"),
            Err(_) => "FAILED".to_owned(),
        };
        let cell = format!("{said} ({:.1} s)", outcome.elapsed.as_secs_f64());
        self.cells().insert((row, kind.title()), cell);
    }

    fn cells(&self) -> MutexGuard<'_, BTreeMap<(&'static str, &'static str), String>> {
        self.cells.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cells = self.cells();
        if cells.is_empty() {
            return Ok(());
        }
        let cell = |row: &'static str, kind: &Kind| cells.get(&(row, kind.title())).map_or("-", String::as_str);
        let first = self.rows.iter().map(|row| row.len()).max().unwrap_or_default();
        let widths = GATEWAYS.map(|kind| {
            let longest = self.rows.iter().map(|row| cell(row, &kind).len()).max().unwrap_or_default();
            longest.max(kind.title().len())
        });
        let columns = || GATEWAYS.iter().zip(widths);
        write!(f, "{:first$}", "")?;
        columns().try_for_each(|(kind, width)| write!(f, "  {:width$}", kind.title()))?;
        writeln!(f)?;
        for row in &self.rows {
            write!(f, "{:first$}", row.replace('_', " "))?;
            columns().try_for_each(|(kind, width)| write!(f, "  {:width$}", cell(row, kind)))?;
            writeln!(f)?;
        }
        Ok(())
    }
}
