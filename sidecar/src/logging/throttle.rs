//! Limits the WARN and ERROR lines of one kind, so that neither a broken sender nor an outage fills the disk: of 4,000 a second
//! at most 10 are written, with the number of the others.
//!
//! A kind is one place in the code. INFO lines are not limited: each is about something that was durably done, or about the
//! state of the replica.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use onceway_signal::truncate::truncate_chars;
use tokio::time::{Instant, sleep};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines of one kind that are written at once. With one more per [`INTERVAL`] and one [summary](SUMMARY_INTERVAL), no
/// second has more than 10.
const BURST: u32 = 5;
/// The interval of further lines of the kind.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often the number of suppressed lines is written, where there are any.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(2);
/// Kinds that are limited; the code has fewer. Lines of any further kind are suppressed together.
const MAX_KINDS: usize = 1024;
/// The longest part of a suppressed line's message in the summary, in characters.
const MAX_MESSAGE: usize = 100;
/// The target of summaries, which are not limited: there is at most one per kind and [`SUMMARY_INTERVAL`].
const SUMMARY: &str = "onceway::suppressed";

/// See the module documentation. Clones share their state.
#[derive(Clone, Default)]
pub struct Throttle(Arc<Mutex<Kinds>>);

#[derive(Default)]
struct Kinds {
    kinds: HashMap<Identifier, Kind>,
    /// Lines of kinds beyond [`MAX_KINDS`].
    others: u64,
}

/// The lines of one place in the code.
struct Kind {
    limit: Limit,
    suppressed: u64,
    /// Of the first one that was suppressed.
    message: String,
    location: (&'static str, u32),
}

/// When the next line is due (GCRA): a line may be as early as a burst allows.
#[derive(Clone, Copy, Debug)]
struct Limit {
    due: Instant,
}

impl Limit {
    fn admits(&mut self, now: Instant) -> bool {
        let due = self.due.max(now);
        let admitted = due - now <= INTERVAL * (BURST - 1);
        if admitted {
            self.due = due + INTERVAL;
        }
        admitted
    }
}

/// What is done with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Admitted,
    Suppressed,
    /// Suppressed, as the first of its kind since the last summary.
    SuppressedFirst,
}

/// What was suppressed since the last summary.
struct Suppressed {
    lines: u64,
    message: String,
    location: String,
}

impl Throttle {
    /// Writes summaries; never returns.
    pub async fn run(self) {
        loop {
            sleep(SUMMARY_INTERVAL).await;
            self.summarise();
        }
    }

    /// Writes how many lines of each kind were suppressed since this was last called.
    pub fn summarise(&self) {
        // Not under the lock, which writing a line takes too.
        for Suppressed { lines, message, location } in self.take() {
            warn!(target: SUMMARY, event = "lines_suppressed", suppressed = lines, of = message, location, "similar lines were suppressed");
        }
    }

    fn take(&self) -> Vec<Suppressed> {
        let mut kinds = self.lock();
        let mut all: Vec<Suppressed> = kinds.kinds.values_mut().filter_map(Kind::take).collect();
        let others = take(&mut kinds.others);
        if others > 0 {
            all.push(Suppressed { lines: others, message: "various".to_owned(), location: String::new() });
        }
        all
    }

    fn admits(&self, event: &Event<'_>, now: Instant) -> bool {
        let metadata = event.metadata();
        let location = (metadata.file().unwrap_or_default(), metadata.line().unwrap_or_default());
        let verdict = self.lock().verdict(metadata.callsite(), location, now);
        if verdict == Verdict::SuppressedFirst {
            // Not under the lock: it formats a value, and the log of a panic there would never get the lock.
            let mut message = String::new();
            event.record(&mut Message(&mut message));
            if let Some(kind) = self.lock().kinds.get_mut(&metadata.callsite()) {
                kind.message = message;
            }
        }
        verdict == Verdict::Admitted
    }

    fn lock(&self) -> MutexGuard<'_, Kinds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kinds {
    fn verdict(&mut self, id: Identifier, location: (&'static str, u32), now: Instant) -> Verdict {
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&id) {
            self.others += 1;
            return Verdict::Suppressed;
        }
        let new = || Kind { limit: Limit { due: now }, suppressed: 0, message: String::new(), location };
        self.kinds.entry(id).or_insert_with(new).verdict(now)
    }
}

impl Kind {
    fn verdict(&mut self, now: Instant) -> Verdict {
        if self.limit.admits(now) {
            return Verdict::Admitted;
        }
        self.suppressed += 1;
        if self.suppressed == 1 { Verdict::SuppressedFirst } else { Verdict::Suppressed }
    }

    fn take(&mut self) -> Option<Suppressed> {
        let lines = take(&mut self.suppressed);
        let (file, line) = self.location;
        let message = take(&mut self.message);
        (lines > 0).then(|| Suppressed { lines, message, location: format!("{file}:{line}") })
    }
}

impl<S: Subscriber> Layer<S> for Throttle {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // A lower level is greater.
        *metadata.level() > Level::WARN || metadata.target() == SUMMARY || self.admits(event, Instant::now())
    }
}

/// Reads the message of an event.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = write!(text, "{value:?}");
            truncate_chars(&text, MAX_MESSAGE).clone_into(self.0);
        }
    }
}

#[cfg(test)]
mod tests;
