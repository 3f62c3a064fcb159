//! The progress bar of a benchmark.

use std::fmt::Display;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// One step is one storm, or another unit of work.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar of `steps` steps.
    pub(super) fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:30} {pos}/{len} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(bar)
    }

    /// Shows the current step; prints a line if there is no terminal.
    pub(super) fn doing(&self, what: impl Display) {
        if self.0.is_hidden() {
            eprintln!("{}/{} {what}", self.0.position() + 1, self.0.length().unwrap_or(0));
        }
        self.0.set_message(what.to_string());
    }

    /// Marks the current step as done.
    pub(super) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
