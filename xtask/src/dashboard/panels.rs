//! The panels of the dashboard, a file for each part of it.

mod envoy;
mod overview;
mod replicas;
mod server;
mod signals;

/// A heading and what is below it.
pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) panels: &'static [Panel],
}

/// A panel: a question, and the queries that answer it.
pub(super) struct Panel {
    pub(super) title: &'static str,
    /// What it shows, and when to worry.
    pub(super) what: &'static str,
    pub(super) kind: Kind,
    /// A unit of Grafana's.
    pub(super) unit: &'static str,
    /// In columns of the grid, of 24.
    pub(super) width: u32,
    /// Of a number: from which value on it has which colour; the first one has no value.
    pub(super) thresholds: &'static [(Option<f64>, &'static str)],
    /// Queries and their legends.
    pub(super) queries: &'static [(&'static str, &'static str)],
}

/// How a panel shows its values.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Lines,
    Stacked,
    Number,
    Table,
}

impl Kind {
    /// The name of Grafana's panel.
    pub(super) const fn plugin(self) -> &'static str {
        match self {
            Self::Lines | Self::Stacked => "timeseries",
            Self::Number => "stat",
            Self::Table => "table",
        }
    }
}

const fn panel(
    kind: Kind,
    title: &'static str,
    unit: &'static str,
    what: &'static str,
    queries: &'static [(&'static str, &'static str)],
) -> Panel {
    Panel { title, what, kind, unit, width: 8, thresholds: &[], queries }
}

const fn number(
    title: &'static str,
    unit: &'static str,
    what: &'static str,
    query: &'static [(&'static str, &'static str)],
    thresholds: &'static [(Option<f64>, &'static str)],
) -> Panel {
    Panel { title, what, kind: Kind::Number, unit, width: 4, thresholds, queries: query }
}

const GREEN: (Option<f64>, &str) = (None, "green");
const RED: (Option<f64>, &str) = (None, "red");

/// All rows, from top to bottom.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    [overview::ROWS, signals::ROWS, server::ROWS, envoy::ROWS, replicas::ROWS].into_iter().flatten()
}
