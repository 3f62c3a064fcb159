//! Trouble that comes by the thousand: one line of the log when it begins, and one when it has ended, with how often it
//! happened. What each request met is in the metrics, and in lines that are limited.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{info, warn};

/// Trouble has ended when nothing of the kind has happened for this long.
const QUIET: Duration = Duration::from_secs(10);
/// How often that is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The API server responds with 429.
    Throttled,
    /// Calls to the API server end without a usable response; by their outcome.
    ApiFailing(&'static str),
    /// Spans cannot be exported.
    ExportFailing,
    /// Requests get 503 because this limit is reached.
    Shedding(&'static str),
    /// New incidents get 503 because this budget is used up.
    OverBudget(&'static str),
}

/// The trouble that goes on. Clones share it. Bounded, since the kinds, and what they are about, are a closed set.
#[derive(Clone, Debug, Default)]
pub struct Episodes(Arc<Mutex<HashMap<Trouble, Episode>>>);

#[derive(Clone, Copy, Debug)]
struct Episode {
    since: Instant,
    last: Instant,
    times: u64,
}

impl Episodes {
    /// It happened. Logs it if it did not go on already.
    pub fn hit(&self, trouble: Trouble) {
        let now = Instant::now();
        let mut has_begun = false;
        {
            let mut episodes = self.lock();
            let episode = episodes.entry(trouble).or_insert_with(|| {
                has_begun = true;
                Episode { since: now, last: now, times: 0 }
            });
            (episode.last, episode.times) = (now, episode.times + 1);
        }
        // Not under the lock: a line may wait for whoever reads it.
        if has_begun {
            begun(trouble);
        }
    }

    /// Logs what has ended; never returns.
    pub async fn run(self) {
        loop {
            sleep(LOOK_INTERVAL).await;
            for (trouble, episode) in self.take_ended() {
                ended(trouble, episode);
            }
        }
    }

    fn take_ended(&self) -> Vec<(Trouble, Episode)> {
        self.lock().extract_if(|_, episode| episode.last.elapsed() >= QUIET).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Trouble, Episode>> {
        // Each operation leaves the map consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn begun(trouble: Trouble) {
    match trouble {
        Trouble::Throttled => warn!(event = "api_throttled", "the API server throttles calls (429)"),
        Trouble::ApiFailing(outcome) => {
            warn!(event = "api_failing", outcome, "calls to the API server end without a usable response");
        }
        Trouble::ExportFailing => warn!(event = "export_failing", "the collector takes no spans of traces"),
        Trouble::Shedding(limit) => {
            warn!(event = "load_shed", limit, "requests get 503 because a limit is reached");
        }
        Trouble::OverBudget(limit) => {
            warn!(event = "budget_spent", limit, "new incidents get 503 because a budget is used up");
        }
    }
}

fn ended(trouble: Trouble, Episode { since, last, times }: Episode) {
    let seconds = (last - since).as_secs_f64();
    match trouble {
        Trouble::Throttled => info!(event = "api_throttled_ended", times, seconds, "the API server throttles no more"),
        Trouble::ApiFailing(outcome) => {
            info!(
                event = "api_failing_ended",
                outcome, times, seconds, "calls to the API server do not end so any more"
            );
        }
        Trouble::ExportFailing => {
            info!(event = "export_failing_ended", times, seconds, "no export of spans fails any more");
        }
        Trouble::Shedding(limit) => {
            info!(event = "load_shed_ended", limit, times, seconds, "a limit is reached no more");
        }
        Trouble::OverBudget(limit) => {
            info!(event = "budget_spent_ended", limit, times, seconds, "a budget is exceeded no more");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{Episodes, QUIET, Trouble};

    #[tokio::test(start_paused = true)]
    async fn trouble_ends_once_it_was_quiet_for_long_enough_and_each_kind_on_its_own() {
        let episodes = Episodes::default();
        for _ in 0..3 {
            episodes.hit(Trouble::Throttled);
            episodes.hit(Trouble::Shedding("limits.maxIncidents"));
            advance(QUIET / 2).await;
        }
        assert!(episodes.take_ended().is_empty());
        advance(QUIET / 4).await;
        episodes.hit(Trouble::Throttled);
        advance(QUIET / 4 + Duration::from_millis(1)).await;
        let ended = episodes.take_ended();
        assert_eq!(ended.len(), 1);
        let (trouble, episode) = ended[0];
        assert_eq!((trouble, episode.times), (Trouble::Shedding("limits.maxIncidents"), 3));
        assert_eq!(episode.last - episode.since, QUIET);
        advance(QUIET).await;
        assert_eq!(episodes.take_ended().len(), 1);
        assert!(episodes.take_ended().is_empty());
    }
}
