//! Markdown tables whose columns are aligned, so that they are readable in a terminal too.

use std::fmt::Write;

use super::data::{At, Data};
use super::figure::{cell, count};

/// A table: names in the first column, figures in the others.
#[derive(Clone, Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(super) fn new<T: Into<String>>(headings: impl IntoIterator<Item = T>) -> Self {
        Self { rows: vec![headings.into_iter().map(Into::into).collect()] }
    }

    /// Adds a row.
    pub(super) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// As text.
    pub(super) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(|column| self.width(column)).collect();
        let mut text = String::new();
        for (place, row) in self.rows.iter().enumerate() {
            for (column, &width) in widths.iter().enumerate() {
                let cell = row.get(column).map_or("", String::as_str);
                let _ = if column == 0 { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") };
            }
            text.push_str("|\n");
            if place == 0 {
                text.push_str(&rule(&widths));
            }
        }
        text
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

/// The figures of a contender in a case: a row for each value of the quantity `x` that has any.
pub(super) fn growth(data: &Data, at: At<'_>, x: &str, metrics: &[&str]) -> Table {
    let mut table = Table::new([x].into_iter().chain(metrics.iter().copied()));
    for x in data.xs(at.case) {
        let figures: Vec<_> = metrics.iter().map(|metric| data.figure(At { x, ..at }, metric)).collect();
        if figures.iter().any(Option::is_some) {
            table.row([count(x)].into_iter().chain(figures.into_iter().map(cell)));
        }
    }
    table
}

fn rule(widths: &[usize]) -> String {
    let column = |(place, width): (usize, &usize)| match place {
        0 => format!("|{}", "-".repeat(width + 2)),
        _ => format!("|{}:", "-".repeat(width + 1)),
    };
    widths.iter().enumerate().map(column).collect::<String>() + "|\n"
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["storm", "P50"]);
        table.row(["one incident", "7.25"]);
        assert_eq!(table.text(), "| storm        |  P50 |\n|--------------|-----:|\n| one incident | 7.25 |\n");
    }
}
