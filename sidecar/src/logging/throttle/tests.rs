use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, advance};
use tracing::field::{Field, Visit};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Subscriber, error, info, warn};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, registry};

use super::{BURST, INTERVAL, Limit, SUMMARY, Throttle};

/// The lines that are written: when, and the number of suppressed ones of a summary.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<Line>>>);

#[derive(Clone, Debug)]
struct Line {
    at: Instant,
    summary: bool,
    suppressed: u64,
    of: String,
}

impl<S: Subscriber> Layer<S> for Written {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let summary = event.metadata().target() == SUMMARY;
        let mut line = Line { at: Instant::now(), summary, suppressed: 0, of: String::new() };
        event.record(&mut line);
        self.0.lock().unwrap().push(line);
    }
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "suppressed" {
            self.suppressed = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "of" {
            value.clone_into(&mut self.of);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Written {
    fn lines(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }
}

fn log() -> (Throttle, Written, DefaultGuard) {
    let (throttle, written) = (Throttle::default(), Written::default());
    let guard = set_default(registry().with(throttle.clone()).with(written.clone()));
    (throttle, written, guard)
}

fn bad_request(n: u32) {
    warn!(n, "request rejected");
}

/// The most lines within any second.
fn most_in_a_second(lines: &[Line]) -> usize {
    let within = |from: &Line| lines.iter().filter(|line| line.at >= from.at && line.at - from.at < SECOND).count();
    lines.iter().map(within).max().unwrap_or(0)
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn of_4000_bad_requests_a_second_at_most_10_lines_a_second_are_written_and_the_others_counted() {
    let (throttle, written, _guard) = log();
    let summaries = tokio::spawn(throttle.clone().run());
    for n in 0..4000 * 10 {
        bad_request(n);
        tokio::time::sleep(Duration::from_micros(250)).await;
    }
    summaries.abort();
    throttle.summarise();
    let lines = written.lines();
    let single = lines.iter().filter(|line| !line.summary).count() as u64;
    let suppressed: u64 = lines.iter().map(|line| line.suppressed).sum();
    assert_eq!(single + suppressed, 40_000);
    assert!(single >= 40, "{single}");
    // The last summary is that of the exit.
    let most = most_in_a_second(&lines[..lines.len() - 1]);
    assert!((5..=10).contains(&most), "{most}");
    assert!(lines.iter().all(|line| !line.summary || line.of == "request rejected"));
}

#[tokio::test(start_paused = true)]
async fn each_kind_has_its_own_limit_and_info_has_none() {
    let (throttle, written, _guard) = log();
    for n in 0..100 {
        bad_request(n);
        error!("another kind");
        info!("state");
    }
    assert_eq!(written.lines().len(), 5 + 5 + 100);
    throttle.summarise();
    let mut of: Vec<(String, u64)> =
        written.lines()[110..].iter().map(|line| (line.of.clone(), line.suppressed)).collect();
    of.sort();
    assert_eq!(of, [("another kind".to_owned(), 95), ("request rejected".to_owned(), 95)]);
    throttle.summarise();
    assert_eq!(written.lines().len(), 112, "nothing was suppressed since");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_was_silent_has_its_burst_again() {
    let (_throttle, written, _guard) = log();
    for _ in 0..3 {
        (0..50).for_each(bad_request);
        advance(INTERVAL * BURST).await;
    }
    assert_eq!(written.lines().len(), 15);
}

#[tokio::test(start_paused = true)]
async fn the_limit_is_a_burst_and_then_one_line_per_interval() {
    let begun = Instant::now();
    let mut limit = Limit { due: begun };
    let admitted = (0..4000).filter(|n| limit.admits(begun + Duration::from_micros(250) * *n)).count();
    assert_eq!(admitted, 5 + 3, "within one second");
    assert!(limit.admits(begun + SECOND) && !limit.admits(begun + SECOND));
}
