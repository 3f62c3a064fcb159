//! Follows the objects of a kind: a list, then a watch. kube's watcher resumes a broken watch at its last resourceVersion, and
//! lists again when the API server has compacted that version (410).

use std::fmt::Debug;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::{StreamExt, pin_mut};
use http::{Request, StatusCode};
use kube::client::Body;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::time::sleep;
use tower::service_fn;
use tracing::warn;

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

/// Where the events of a watch go.
pub trait Sink<K>: Clone + Send + Sync + 'static {
    /// What is watched, for the log.
    const WATCHED: &'static str;

    /// A list begins, an object is listed, the list ends, an object has changed or is gone.
    fn handle(&self, event: Event<K>);

    /// The watch has failed: later changes arrive with the next watch or list.
    fn lose_sync(&self);

    /// A watch has started from where the list or the previous watch ended: no event is missed.
    fn regain_sync(&self);

    /// A 401 or 403.
    fn refused(&self);
}

/// Follows the objects of `api`, which gets a client; never returns. `selection` says which objects, how many a page has, and
/// how long each watch lasts.
pub async fn follow<K, S>(client: Client, selection: Config, sink: S, api: impl FnOnce(Client) -> Api<K>)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    S: Sink<K>,
{
    let events = watcher(api(observe_responses(client, sink.clone())), selection);
    pin_mut!(events);
    let mut backoff = BACKOFF.build();
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // A list that has begun, or has brought some of its pages, has not succeeded yet.
                if !matches!(event, Event::Init | Event::InitApply(_)) {
                    backoff = BACKOFF.build();
                }
                sink.handle(event);
            }
            Err(error) => {
                sink.lose_sync();
                warn!(%error, "the watch of the {} failed; retrying", S::WATCHED);
                // Jitter of 1 to 1.5, so that replicas do not list at the same time.
                sleep(backoff.next().unwrap_or_default().mul_f64(rand::random_range(1.0..=1.5))).await;
            }
        }
    }
}

/// A client that sees each response before kube's watcher does. The watcher emits no event when a failed watch has started
/// again, so that the sink would stay out of sync until some object changes.
fn observe_responses<K: 'static, S: Sink<K>>(client: Client, sink: S) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, sink) = (client.clone(), sink.clone());
        async move {
            let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
            let response = client.send(request).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => sink.refused(),
                status if is_watch && status.is_success() => sink.regain_sync(),
                _ => {}
            }
            Ok::<_, kube::Error>(response)
        }
    });
    Client::new(service, namespace)
}
