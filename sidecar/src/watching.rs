//! Follows the objects of a kind: a list, then a watch. kube's watcher resumes a broken watch at its last resourceVersion, and
//! lists again when the API server has compacted that version (410).
//!
//! A watch that is silent for [`silence_limit`] is out of sync. The API server ends each watch after the time that it was asked
//! for, and the next one begins with a response: whoever hears nothing for longer has lost the connection, or the API server
//! hangs. What comes after all shows that nothing was missed, because the watch is one ordered stream.

mod sync;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::{StreamExt, pin_mut};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch::Sender;
use tokio::time::{Instant, sleep, sleep_until};
use tower::service_fn;

use self::sync::SyncLog;

/// How much longer than a watch its silence may be: time for its end and for the response to the next one.
const SILENCE: Duration = Duration::from_secs(5);
/// How much longer than that its connection may be silent.
const DEAD_CONNECTION: Duration = Duration::from_secs(5);
/// Pauses after failures, before jitter.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(200))
    .with_max_delay(Duration::from_secs(5))
    .without_max_times();

/// How long a watch that lasts `watch` may bring nothing (no event, no bookmark, no end) and be in sync.
pub fn silence_limit(watch: Duration) -> Duration {
    watch + SILENCE
}

/// Read timeout of the connection of a watch that lasts `watch`. kube ends a silent watch by itself, but it would wait
/// forever for the response head of a list or a watch.
pub fn read_timeout(watch: Duration) -> Duration {
    silence_limit(watch) + DEAD_CONNECTION
}

/// Where the events of a watch go.
pub trait Sink<K>: Clone + Send + Sync + 'static {
    /// What is watched, for the log.
    const WATCHED: &'static str;

    /// A list begins, an object is listed, the list ends, an object has changed or is gone.
    fn handle(&self, event: Event<K>);

    /// The watch has failed or is silent: later changes arrive with the next watch or list, or late.
    fn lose_sync(&self);

    /// A watch has started from where the list or the previous watch ended, or a silent one has brought something: no event is
    /// missed.
    fn regain_sync(&self);

    /// A 401 or 403.
    fn refused(&self);

    /// The API server has sent a part of a list or of a watch.
    fn heard(&self) {}
}

/// What the responses say, for the loop that has the events.
struct Heard<S> {
    sink: S,
    log: SyncLog,
    /// When something was last heard.
    last: Sender<Instant>,
}

impl<S> Heard<S> {
    fn now<K: 'static>(&self)
    where
        S: Sink<K>,
    {
        self.sink.heard();
        self.last.send_replace(Instant::now());
    }

    fn lose_sync<K: 'static>(&self, cause: &dyn std::fmt::Display)
    where
        S: Sink<K>,
    {
        self.sink.lose_sync();
        self.log.lost(cause);
    }

    fn regain_sync<K: 'static>(&self)
    where
        S: Sink<K>,
    {
        self.sink.regain_sync();
        self.log.regained();
    }
}

/// Follows the objects of `api`, which gets a client; never returns. `selection` says which objects, and how many a page has;
/// each watch lasts `watch`, in whole seconds.
pub async fn follow<K, S>(
    client: Client,
    selection: Config,
    watch: Duration,
    sink: S,
    api: impl FnOnce(Client) -> Api<K>,
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    S: Sink<K>,
{
    let heard = Arc::new(Heard { sink, log: SyncLog::new(S::WATCHED), last: Sender::new(Instant::now()) });
    let selection = selection.timeout(u32::try_from(watch.as_secs()).unwrap_or(u32::MAX));
    let events = watcher(api(observe_responses(client, Arc::clone(&heard))), selection);
    pin_mut!(events);
    let mut last = heard.last.subscribe();
    let (mut backoff, mut is_silent) = (BACKOFF.build(), false);
    loop {
        let silent_from = *last.borrow() + silence_limit(watch);
        tokio::select! {
            // What a silent watch brings is read before the watch counts as in sync again.
            biased;
            event = events.next() => match event {
                Some(Ok(event)) => {
                    // A list that has begun, or has brought some of its pages, has not succeeded yet.
                    if !matches!(event, Event::Init | Event::InitApply(_)) {
                        backoff = BACKOFF.build();
                    }
                    let is_listed = matches!(event, Event::InitDone);
                    heard.sink.handle(event);
                    if is_listed {
                        is_silent = false;
                        heard.log.regained();
                    }
                }
                Some(Err(error)) => {
                    is_silent = false;
                    heard.lose_sync::<K>(&error);
                    // Jitter of 1 to 1.5, so that replicas do not list at the same time.
                    sleep(backoff.next().unwrap_or_default().mul_f64(rand::random_range(1.0..=1.5))).await;
                }
                None => return,
            },
            _ = last.changed(), if is_silent => {
                is_silent = false;
                heard.regain_sync::<K>();
            }
            () = sleep_until(silent_from), if !is_silent => {
                // Something may have come since the loop looked. What comes from here on ends the silence.
                is_silent = last.borrow_and_update().elapsed() >= silence_limit(watch);
                if is_silent {
                    heard.lose_sync::<K>(&format_args!("nothing came for {} s", silence_limit(watch).as_secs()));
                }
            }
        }
    }
}

/// A client that sees each response before kube's watcher does. The watcher emits no event when a failed watch has started
/// again, so that the sink would stay out of sync until some object changes; and none for a bookmark.
fn observe_responses<K: 'static, S: Sink<K>>(client: Client, heard: Arc<Heard<S>>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let (client, heard) = (client.clone(), Arc::clone(&heard));
        async move {
            let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
            let response = client.send(request).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => heard.sink.refused(),
                status if status.is_success() => {
                    heard.now::<K>();
                    if is_watch {
                        heard.regain_sync::<K>();
                    }
                    return Ok(observe_body(response, heard));
                }
                _ => {}
            }
            Ok::<_, kube::Error>(response.map(BodyExt::boxed_unsync))
        }
    });
    Client::new(service, namespace)
}

/// The response, of which each part is heard.
fn observe_body<K: 'static, S: Sink<K>>(response: Response<Body>, heard: Arc<Heard<S>>) -> Response<ObservedBody> {
    response.map(|body| {
        let body = body.map_frame(move |frame| {
            heard.now::<K>();
            frame
        });
        body.boxed_unsync()
    })
}

/// The body of a response.
type ObservedBody = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, kube::Error>;
