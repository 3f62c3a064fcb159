//! Keeps the index up to date: a list, then a watch; kube's watcher resumes it where it broke off, and lists again where
//! the API server has forgotten that place (410).

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use http::{Request, StatusCode};
use kube::client::Body;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client};
use tokio::time::sleep;
use tower::service_fn;
use tracing::{info, warn};

use super::Index;
use super::observed::Observed;
use crate::health::permissions::Doubt;
use crate::metrics::Metrics;

/// How many RRs a page of the list has: each may be 100 KiB large, and a page is in memory as a whole.
const PAGE: u32 = 100;
/// How much longer than a watch its connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// The first pause after a failure; it doubles up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause after a failure.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// How long the connection of a watch that lasts `watch` may be silent before it is given up. A watch that falls silent is
/// given up by kube itself, but for the head of an answer, to a list or to a watch, it would wait for ever.
pub fn silence_limit(watch: Duration) -> Duration {
    watch + SILENCE
}

/// What the watch keeps up to date.
#[derive(Clone)]
pub struct WatchSinks {
    /// The RRs.
    pub index: Arc<Index>,
    /// Told where a call is refused.
    pub doubt: Doubt,
    /// What is measured.
    pub metrics: Arc<Metrics>,
}

/// Keeps all that up to date with the RRs of `namespace`, for ever; each watch lasts `watch` (whole seconds).
pub async fn follow(client: Client, namespace: String, watch: Duration, sinks: WatchSinks) {
    let rrs = Api::<Observed>::namespaced(attentive(client, sinks.clone()), &namespace);
    let seconds = u32::try_from(watch.as_secs()).unwrap_or(u32::MAX);
    let events = watcher(rrs, Config::default().page_size(PAGE).timeout(seconds));
    pin_mut!(events);
    let mut pause = FIRST_PAUSE;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // A list that has begun, or has brought some of its pages, has not succeeded yet.
                if !matches!(event, Event::Init | Event::InitApply(_)) {
                    pause = FIRST_PAUSE;
                }
                sinks.take(event);
            }
            Err(error) => {
                sinks.index.lose_sync();
                sinks.measure();
                warn!(%error, namespace, "the watch of the RemediationRequests has failed; trying again");
                sleep(pause.mul_f64(rand::random_range(1.0..=1.5))).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
        }
    }
}

/// The client, whose answers are seen before kube's watcher has them: it keeps to itself that a watch which had failed has
/// begun again, and while no RR changes nothing else tells.
fn attentive(client: Client, sinks: WatchSinks) -> Client {
    let namespace = client.default_namespace().to_owned();
    let seen = service_fn(move |request: Request<Body>| {
        let (client, sinks) = (client.clone(), sinks.clone());
        async move {
            let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
            let response = client.send(request).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => sinks.doubt.raise(),
                status if watches && status.is_success() => {
                    sinks.index.regain_sync();
                    sinks.measure();
                }
                _ => {}
            }
            Ok::<_, kube::Error>(response)
        }
    });
    Client::new(seen, namespace)
}

impl WatchSinks {
    fn take(&self, event: Event<Observed>) {
        match event {
            Event::Init => self.index.begin_list(),
            Event::InitApply(observed) => self.index.list(&observed),
            Event::InitDone => {
                self.index.end_list();
                info!(incidents = self.index.size().0, "the index of the RemediationRequests is in sync");
            }
            Event::Apply(observed) => self.index.apply(&observed),
            Event::Delete(observed) => self.index.remove(&observed),
        }
        self.measure();
    }

    fn measure(&self) {
        let (incidents, in_sync) = self.index.size();
        self.metrics.indexed(incidents, in_sync);
    }
}

#[cfg(test)]
mod tests;
