//! Keeps the index up to date: a list, then a watch; kube's watcher resumes it where it broke off, and lists again where
//! the API server has forgotten that place (410).

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client};
use tokio::time::sleep;
use tracing::{info, warn};

use super::Index;
use super::observed::Observed;
use crate::metrics::Metrics;

/// How many RRs a page of the list has: each may be 100 KiB large, and a page is in memory as a whole.
const PAGE: u32 = 100;
/// How much longer than a watch its connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// The first pause after a failure; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How long the connection of a watch that lasts `watch` may be silent before it is given up.
pub fn silence_limit(watch: Duration) -> Duration {
    watch + SILENCE
}

/// Feeds the index with the RRs of `namespace`, for ever; each watch lasts `watch` (whole seconds).
pub async fn follow(client: Client, namespace: String, watch: Duration, index: Arc<Index>, metrics: Arc<Metrics>) {
    let rrs = Api::<Observed>::namespaced(client, &namespace);
    let seconds = u32::try_from(watch.as_secs()).unwrap_or(u32::MAX);
    let events = watcher(rrs, Config::default().page_size(PAGE).timeout(seconds));
    pin_mut!(events);
    let mut pause = FIRST_PAUSE;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // A list that begins has not succeeded yet.
                if !matches!(event, Event::Init) {
                    pause = FIRST_PAUSE;
                }
                take(&index, event);
            }
            Err(error) => {
                index.lose_sync();
                warn!(%error, namespace, "the watch of the RemediationRequests has failed; trying again");
                sleep(pause.mul_f64(rand::random_range(1.0..=1.5))).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
        let (incidents, in_sync) = index.size();
        metrics.indexed(incidents, in_sync);
    }
}

fn take(index: &Index, event: Event<Observed>) {
    match event {
        Event::Init => index.begin_list(),
        Event::InitApply(observed) => index.list(&observed),
        Event::InitDone => {
            index.end_list();
            info!(incidents = index.size().0, "the index of the RemediationRequests is in sync");
        }
        Event::Apply(observed) => index.apply(&observed),
        Event::Delete(observed) => index.remove(&observed),
    }
}

#[cfg(test)]
mod tests;
