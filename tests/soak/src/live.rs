//! How far a soak has come: a bar on a terminal, a line now and then elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::course::World;

/// How often the bar is drawn anew.
const REDRAW_EVERY: Duration = Duration::from_millis(250);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// The view of a soak.
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

    /// Shows it until it is dropped.
    pub(super) async fn show(&self, world: &World) -> ! {
        let (began, mut last_line) = (Instant::now(), Instant::now());
        loop {
            let incidents = world.observer.look(|seen| seen.incidents);
            let (attempts, faults) = world.recorder.progress();
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

    /// Leaves the last view where it is.
    pub(super) fn finish(&self) {
        self.bar.abandon();
    }
}
