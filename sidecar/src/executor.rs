//! Executes the claim protocol's calls against the API server. Thin: it builds a request, waits no longer than
//! `limits.apiCallTimeout`, and reads the answer. It decides nothing and retries nothing: what an answer means is the
//! protocol's business (`onceway-claim`), how often to ask is the owner's.

mod request;
mod response;
mod view;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::{BodyExt, Limited};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use onceway_claim::Call;
use onceway_signal::Fingerprint;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::error;

use self::request::{Kind, LEASES, Requests};
pub use self::response::{Failure, Reply};
use crate::incident::WriteSpec;
use crate::metrics::Metrics;

/// The largest answer that is read. etcd's own limit for an object is 1.5 MiB.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// What the calls of a batch need beside the protocol's own words.
#[derive(Clone)]
pub struct Context {
    /// The incident.
    pub fingerprint: Fingerprint,
    /// When the first signal of the batch was received; `firstSeenAt` where the RR has none.
    pub first_received: Timestamp,
    /// When the last signal of the batch was received; `lastSeenAt`.
    pub last_received: Timestamp,
    /// Writes the spec of a new RR.
    pub spec: WriteSpec,
}

/// Where calls go. The executor is the one implementation that ships; tests of the owner script the answers.
pub trait Execute: Send + Sync + 'static {
    /// Executes one call, once.
    fn execute(&self, call: &Call, context: &Context) -> impl Future<Output = Reply> + Send;
}

/// The API server, as far as one replica uses it.
pub struct Executor {
    client: Client,
    requests: Requests,
    in_flight: Semaphore,
    call_timeout: Duration,
    metrics: Arc<Metrics>,
}

/// What an executor is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of RRs and claims.
    pub namespace: String,
    /// This process: `<POD_NAME>_<per-process id>`.
    pub identity: Arc<str>,
    /// `leaseDurationSeconds`.
    pub lease_duration: Duration,
    /// `limits.maxApiCallsInFlight`.
    pub max_calls_in_flight: usize,
    /// `limits.apiCallTimeout`.
    pub call_timeout: Duration,
}

impl Executor {
    /// An executor over `client`, whose own retries must be off: it would repeat creates behind the protocol's back.
    pub fn new(client: Client, settings: Settings, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            in_flight: Semaphore::new(settings.max_calls_in_flight),
            call_timeout: settings.call_timeout,
            requests: Requests::new(settings),
            metrics,
        }
    }

    async fn send(&self, request: Request<Vec<u8>>, call: &Call, fingerprint: Fingerprint) -> Reply {
        // Closed never happens: nobody closes it. If it did, the limit would be gone, not the call.
        match timeout(self.call_timeout, self.exchange(request)).await {
            Ok(Ok((status, retry_after, body))) => {
                Reply { bytes: body.len(), ..response::read(call, fingerprint, status, retry_after, &body) }
            }
            Ok(Err(reason)) => Reply::unknown(Failure::Connection { reason }),
            Err(_) => Reply::unknown(Failure::Timeout { after: self.call_timeout }),
        }
    }

    async fn exchange(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<(http::StatusCode, Option<Duration>, Vec<u8>), String> {
        let response = self.client.send(request.map(Body::from)).await.map_err(chain)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await.map_err(|error| error.to_string())?;
        Ok((head.status, response::retry_after(&head.headers), body.to_bytes().into()))
    }
}

impl Execute for Executor {
    async fn execute(&self, call: &Call, context: &Context) -> Reply {
        let request = match self.requests.build(call, context) {
            Ok(request) => request,
            Err(error) => {
                // Only a bug gets here: every part of a request was checked when it was read.
                error!(%error, ?call, "cannot build a request to the API server");
                return Reply::unknown(Failure::Refused { status: 400, reason: error.to_string() });
            }
        };
        // Closed never happens: nobody closes it. If it did, the limit would be gone, not the call.
        let _permit = self.in_flight.acquire().await;
        let measured =
            Measured { metrics: &self.metrics, kind: request::kind(call), started: Instant::now(), reply: None };
        measured.end(self.send(request, call, context.fingerprint).await)
    }
}

/// Measures a call, and one that is dropped before its answer too: that is what deadlines do.
struct Measured<'a> {
    metrics: &'a Metrics,
    kind: Kind,
    started: Instant,
    /// The outcome, and whether it is no definite one.
    reply: Option<(&'static str, bool)>,
}

impl Measured<'_> {
    fn end(mut self, reply: Reply) -> Reply {
        self.reply = Some((reply.outcome(), reply.failure.is_some()));
        reply
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let (outcome, failed) = self.reply.unwrap_or(("abandoned", true));
        self.metrics.api_call(self.kind.verb, self.kind.resource, outcome, self.started.elapsed());
        if failed && self.kind.resource == LEASES {
            self.metrics.lock_failure(outcome);
        }
    }
}

/// An error with its causes: "error sending request" alone helps nobody.
fn chain(error: kube::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
