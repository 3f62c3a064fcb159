//! The progress of a storm: redrawn in place on a terminal, otherwise a line per second.

use std::cell::Cell;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::time::Instant;

use super::snapshot::{Row, Snapshot};

/// How often a line is written without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// The progress view of one storm.
pub(super) struct Live {
    title: &'static str,
    multi: MultiProgress,
    bar: ProgressBar,
    summary: ProgressBar,
    rows: Vec<ProgressBar>,
    terminal: bool,
    last_line: Cell<Option<Instant>>,
}

impl Live {
    pub(super) fn new(title: &'static str, signals: u64, incidents: usize, terminal: bool) -> Self {
        let multi = MultiProgress::new();
        let text = || multi.add(ProgressBar::new_spinner().with_style(style("  {msg}")));
        let bar = ProgressBar::new(signals).with_style(style("{prefix:.bold} [{bar:40.green}] {pos}/{len} {msg}"));
        let bar = multi.add(bar.with_prefix(title));
        let summary = text();
        let rows = (0..incidents).map(|_| text()).collect();
        if !terminal {
            println!("{title}: {signals} signals of {incidents} incidents");
        }
        Self { title, bar, summary, rows, terminal, last_line: Cell::new(None), multi }
    }

    /// Draws the current state.
    pub(super) fn show(&self, now: &Snapshot) {
        let rate = now.acknowledged as f64 / now.elapsed.as_secs_f64().max(0.001);
        let in_flight = now.sent.saturating_sub(now.acknowledged);
        let summary = summary(now);
        if self.terminal {
            self.bar.set_position(now.acknowledged);
            self.bar.set_message(format!("acknowledged, {in_flight} in flight, {rate:.0}/s"));
            self.summary.set_message(summary);
            for (line, row) in self.rows.iter().zip(&now.rows) {
                line.set_message(text(row));
            }
        } else if self.last_line.get().is_none_or(|last| last.elapsed() >= LINE_EVERY) {
            self.last_line.set(Some(Instant::now()));
            println!("  {} sent, {} acknowledged, {rate:.0}/s; {summary}", now.sent, now.acknowledged);
        }
    }

    /// Prints a line that stays on the screen.
    pub(super) fn note(&self, text: &str) {
        if self.terminal {
            // An error means that the terminal is gone.
            let _ = self.multi.println(format!("{}: {text}", self.title));
        } else {
            println!("  {text}");
        }
    }

    /// Leaves the last state on the screen.
    pub(super) fn finish(&self) {
        for line in self.rows.iter().chain([&self.bar, &self.summary]) {
            line.abandon();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn summary(now: &Snapshot) -> String {
    let (rrs, counted) =
        (now.rows.iter().map(|row| row.rrs).sum::<usize>(), now.rows.iter().map(|row| row.count).sum());
    let writes: usize = now.rows.iter().map(|row| row.writes).sum();
    let per_signal = writes as f64 / u64::max(counted, 1) as f64;
    let retried = if now.retried > 0 { format!(", {} retried", now.retried) } else { String::new() };
    format!("{rrs} RRs, {counted} counted, {writes} API writes ({per_signal:.3} per signal){retried}")
}

fn text(row: &Row) -> String {
    let (rr, owner) = (row.rr.as_deref().unwrap_or("-"), row.owner.as_deref().unwrap_or("-"));
    let rrs = if row.rrs > 1 { format!("  {} RRs!", row.rrs) } else { String::new() };
    let fingerprint = &row.fingerprint[..12];
    format!(
        "{:<16} {fingerprint}  {rr:<28} count {:>6}  {:>5} writes  owned by {owner}{rrs}",
        row.deployment, row.count, row.writes
    )
}
