//! The progress of a soak: a bar on a terminal, otherwise a line every ten seconds.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::course::Environment;

/// How often the bar is redrawn.
const REDRAW_EVERY: Duration = Duration::from_millis(250);
/// How often a line is written without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The progress view of a soak.
pub(super) struct Live {
    bar: ProgressBar,
    incidents: u64,
}

impl Live {
    pub(super) fn new(incidents: u64) -> Self {
        let bar = ProgressBar::new(incidents);
        let style = ProgressStyle::with_template("{prefix:.bold} [{bar:40.green}] {pos}/{len} {elapsed} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix("Incidents");
        Self { bar, incidents }
    }

    /// Shows the progress until the future is dropped.
    pub(super) async fn show(&self, environment: &Environment) -> ! {
        let (began, mut last_line) = (Instant::now(), Instant::now());
        loop {
            let incidents = environment.observer.read(|state| state.incidents);
            let (attempts, faults) = environment.recorder.progress();
            let text = format!("{attempts} attempts, {faults} faults");
            self.bar.set_position(incidents.min(self.incidents));
            self.bar.set_message(text.clone());
            if self.bar.is_hidden() && last_line.elapsed() >= LINE_EVERY {
                last_line = Instant::now();
                eprintln!("  {:.0} s: {incidents}/{} incidents, {text}", began.elapsed().as_secs_f64(), self.incidents);
            }
            sleep(REDRAW_EVERY).await;
        }
    }

    /// Leaves the last state on the screen.
    pub(super) fn finish(&self) {
        self.bar.abandon();
    }
}
