//! Progress of work that goes on in several lanes at once: one bar with the time left on a terminal, a line now and then
//! where the output goes to a file.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written if there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(20);
/// Steps of the bar, in all.
const STEPS: u64 = 1_000;
/// Below this share of the work, the time left is estimated from the expected times alone.
const MIN_SHARE: f64 = 0.05;

/// One of several pieces of work that go on at once.
pub trait Lane: Sync {
    /// A step of `units` units begins, which takes `seconds` of the 2-core machine that the project is developed on;
    /// `units` is 0 if their number is not known.
    fn begin(&self, step: &str, units: u64, seconds: u32);
    /// One more unit of the step is done.
    fn unit(&self);
    /// The lane has nothing left to do.
    fn finish(&self);
}

/// The progress of all lanes together.
pub struct Overall {
    title: &'static str,
    bar: ProgressBar,
    began: SystemTime,
    state: Mutex<State>,
}

struct State {
    lanes: Vec<LaneState>,
    last_line: SystemTime,
}

#[derive(Default)]
struct LaneState {
    /// Expected seconds of the whole lane.
    expected: f64,
    /// Expected seconds of the steps that are done.
    done: f64,
    step: String,
    step_seconds: f64,
    units: u64,
    position: u64,
    finished: bool,
}

impl LaneState {
    /// Expected seconds of what is done, at most `expected`.
    fn progress(&self) -> f64 {
        if self.finished {
            return self.expected;
        }
        // Of a step whose length is not known, half counts from its begin to its end.
        let share = if self.units == 0 { 0.5 } else { (self.position as f64 / self.units as f64).min(1.0) };
        (self.done + self.step_seconds * share).min(self.expected)
    }
}

impl Overall {
    /// Shows `title` with lanes that are expected to take so many seconds each.
    #[must_use]
    pub fn start(title: &'static str, expected: &[u32]) -> Self {
        let bar = ProgressBar::new(STEPS);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} [{bar:30}] {percent:>3} % {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(title);
        bar.enable_steady_tick(Duration::from_millis(200));
        let lane = |seconds: &u32| LaneState { expected: f64::from(*seconds), ..LaneState::default() };
        let now = SystemTime::now();
        let state = State { lanes: expected.iter().map(lane).collect(), last_line: now };
        Self { title, bar, began: now, state: Mutex::new(state) }
    }

    /// The lane at `index`.
    #[must_use]
    pub fn lane(&self, index: usize) -> OneOf<'_> {
        OneOf { overall: self, index }
    }

    fn change(&self, index: usize, change: impl FnOnce(&mut LaneState)) {
        let mut state = self.state();
        if let Some(lane) = state.lanes.get_mut(index) {
            change(lane);
        }
        self.show(&mut state);
    }

    fn show(&self, state: &mut State) {
        let expected: f64 = state.lanes.iter().map(|lane| lane.expected).sum();
        let done: f64 = state.lanes.iter().map(LaneState::progress).sum();
        let share = if expected > 0.0 { done / expected } else { 1.0 };
        let text = self.text(state, share, expected);
        self.bar.set_position((share * STEPS as f64) as u64);
        self.bar.set_message(text.clone());
        let now = SystemTime::now();
        let since = now.duration_since(state.last_line).unwrap_or_default();
        if self.bar.is_hidden() && since >= LINE_EVERY {
            state.last_line = now;
            eprintln!("== {}: {:.0} % {text}", self.title, share * 100.0);
        }
    }

    fn text(&self, state: &State, share: f64, expected: f64) -> String {
        let elapsed = self.began.elapsed().unwrap_or_default().as_secs_f64();
        let left = if share < MIN_SHARE { expected * (1.0 - share) } else { elapsed * (1.0 - share) / share };
        let mut text = time_left(left);
        for lane in state.lanes.iter().filter(|lane| !lane.finished && !lane.step.is_empty()) {
            let _ = write!(text, " · {}", lane.step);
            if lane.units > 0 {
                let _ = write!(text, " {}/{}", lane.position.min(lane.units), lane.units);
            }
        }
        text
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Numbers for people: a panic of another lane spoils none of them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Overall {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        eprintln!("== {}: {} s", self.title, self.began.elapsed().unwrap_or_default().as_secs());
    }
}

/// A lane of an [`Overall`].
pub struct OneOf<'a> {
    overall: &'a Overall,
    index: usize,
}

impl Lane for OneOf<'_> {
    fn begin(&self, step: &str, units: u64, seconds: u32) {
        self.overall.change(self.index, |lane| {
            lane.done += lane.step_seconds;
            (lane.step, lane.step_seconds) = (step.to_owned(), f64::from(seconds));
            (lane.units, lane.position) = (units, 0);
        });
    }

    fn unit(&self) {
        self.overall.change(self.index, |lane| lane.position += 1);
    }

    fn finish(&self) {
        self.overall.change(self.index, |lane| lane.finished = true);
    }
}

/// "about 4 min left"; in seconds below two minutes.
fn time_left(seconds: f64) -> String {
    if seconds < 120.0 {
        return format!("about {:.0} s left", (seconds / 10.0).ceil() * 10.0);
    }
    format!("about {:.0} min left", seconds / 60.0)
}

#[cfg(test)]
mod tests {
    use super::{LaneState, time_left};

    #[test]
    fn the_time_left_is_in_minutes_and_at_the_end_in_tens_of_seconds() {
        assert_eq!(time_left(290.0), "about 5 min left");
        assert_eq!(time_left(41.0), "about 50 s left");
        assert_eq!(time_left(0.0), "about 0 s left");
    }

    #[test]
    fn a_lane_counts_its_steps_by_their_expected_times() {
        let mut lane = LaneState { expected: 100.0, done: 20.0, step_seconds: 80.0, units: 4, ..LaneState::default() };
        assert!((lane.progress() - 20.0).abs() < f64::EPSILON);
        lane.position = 2;
        assert!((lane.progress() - 60.0).abs() < f64::EPSILON);
        // More units than were expected never make it more than whole.
        lane.position = 9;
        assert!((lane.progress() - 100.0).abs() < f64::EPSILON);
        lane.finished = true;
        assert!((lane.progress() - 100.0).abs() < f64::EPSILON);
    }
}
