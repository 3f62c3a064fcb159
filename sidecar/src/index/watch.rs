//! Keeps the index up to date: a list, then a watch. kube's watcher resumes a broken watch at its last resourceVersion, and
//! lists again when the API server has compacted that version (410).

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
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
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;

/// RRs per page of the list: each may have 100 KiB, and a page is held in memory as a whole.
const PAGE: u32 = 100;
/// How much longer than a watch its connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// Pauses after failures, before jitter.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(200))
    .with_max_delay(Duration::from_secs(5))
    .without_max_times();

/// Read timeout of the connection of a watch that lasts `watch`. kube ends a silent watch by itself, but it would wait
/// forever for the response head of a list or a watch.
pub fn silence_limit(watch: Duration) -> Duration {
    watch + SILENCE
}

/// Where watch events go.
#[derive(Clone)]
pub struct WatchSinks {
    /// The index.
    pub index: Arc<Index>,
    /// Notified on 401 and 403.
    pub recheck: PermissionRecheck,
    /// The metrics of the index.
    pub metrics: Arc<Metrics>,
}

/// Follows the RRs of `namespace`; never returns. Each watch lasts `watch` (whole seconds).
pub async fn follow(client: Client, namespace: String, watch: Duration, sinks: WatchSinks) {
    let rrs = Api::<Observed>::namespaced(observe_responses(client, sinks.clone()), &namespace);
    let seconds = u32::try_from(watch.as_secs()).unwrap_or(u32::MAX);
    let events = watcher(rrs, Config::default().page_size(PAGE).timeout(seconds));
    pin_mut!(events);
    let mut backoff = BACKOFF.build();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // A list that has begun, or has brought some of its pages, has not succeeded yet.
                if !matches!(event, Event::Init | Event::InitApply(_)) {
                    backoff = BACKOFF.build();
                }
                sinks.handle(event);
            }
            Err(error) => {
                sinks.index.lose_sync();
                sinks.record_size();
                warn!(%error, namespace, "the watch of the RemediationRequests failed; retrying");
                // Jitter of 1 to 1.5, so that replicas do not list at the same time.
                sleep(backoff.next().unwrap_or_default().mul_f64(rand::random_range(1.0..=1.5))).await;
            }
        }
    }
}

/// A client that sees each response before kube's watcher does. The watcher emits no event when a failed watch has started
/// again, so that the index would stay out of sync until some RR changes.
fn observe_responses(client: Client, sinks: WatchSinks) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, sinks) = (client.clone(), sinks.clone());
        async move {
            let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
            let response = client.send(request).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => sinks.recheck.request(),
                status if is_watch && status.is_success() => {
                    sinks.index.regain_sync();
                    sinks.record_size();
                }
                _ => {}
            }
            Ok::<_, kube::Error>(response)
        }
    });
    Client::new(service, namespace)
}

impl WatchSinks {
    fn handle(&self, event: Event<Observed>) {
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
        self.record_size();
    }

    fn record_size(&self) {
        let (incidents, in_sync) = self.index.size();
        self.metrics.indexed(incidents, in_sync);
    }
}

#[cfg(test)]
mod tests;
