//! Progress of a long step: a bar on a terminal, a line now and then where the output goes to a file.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(20);

/// One long step, of known or unknown length.
pub(super) struct Progress {
    what: String,
    bar: ProgressBar,
    total: u64,
    last_line: Instant,
    started: Instant,
}

impl Progress {
    /// Starts a step of `total` parts; 0 where their number is not known.
    pub(super) fn start(what: &str, total: u64) -> Self {
        let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
        let template = if total == 0 {
            "{spinner} {prefix} {elapsed} {wide_msg:.dim}"
        } else {
            "{spinner} {prefix} [{bar:30}] {pos}/{len} {elapsed} {wide_msg:.dim}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        if bar.is_hidden() {
            eprintln!("{what} ...");
        }
        Self { what: what.to_owned(), bar, total, last_line: Instant::now(), started: Instant::now() }
    }

    /// One part is done; `name` says which.
    pub(super) fn step(&mut self, name: &str) {
        self.bar.inc(1);
        self.bar.set_message(name.to_owned());
        if self.bar.is_hidden() && self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            match self.total {
                0 => eprintln!("{}: {name}", self.what),
                total => eprintln!("{}: {}/{total}", self.what, self.bar.position()),
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let hidden = self.bar.is_hidden();
        self.bar.finish_and_clear();
        if hidden {
            eprintln!("{}: {:.0} s", self.what, self.started.elapsed().as_secs_f32());
        }
    }
}
