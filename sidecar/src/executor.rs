//! Executes the claim protocol's calls against the API server. Thin: it builds a request, waits no longer than
//! `limits.apiCallTimeout`, and reads the answer. It decides nothing and retries nothing: what an answer means is the
//! protocol's business (`onceway-claim`), how often to ask is the owner's.

mod find;
mod request;
mod response;
mod view;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use onceway_claim::ApiCall;
use onceway_signal::Fingerprint;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tracing::error;

use self::request::Requests;
pub(crate) use self::request::{
    CLAIM_LABELS, FLOOR, INTENT, LEASES, RR_STATUS, RRS, ResourceKind, fingerprint_of_claim,
};
pub use self::response::{CallFailure, CallOutcome};
use crate::health::permissions::Doubt;
use crate::incident::WriteSpec;
use crate::index::Index;
use crate::metrics::Metrics;

/// Lists at once, of the calls at once. Each costs the API server a scan of all RRs, and none may keep the counts waiting:
/// while the index is not in sync, every new incident wants one.
const MAX_LISTS: usize = 4;

/// What the calls of a batch need beside the protocol's own words.
#[derive(Clone)]
pub struct Context {
    /// The incident.
    pub fingerprint: Fingerprint,
    /// When the first signal of the batch was received; `firstSeenAt` where the RR has none.
    pub first_received: Timestamp,
    /// When the last signal of the batch was received; `lastSeenAt`.
    pub last_received: Timestamp,
    /// Writes the spec of a new RR; none for calls that create no RR, since it holds its request's body.
    pub spec: Option<WriteSpec>,
}

/// Where calls go. The executor is the one implementation that ships; tests of the owner script the answers.
pub trait Execute: Send + Sync + 'static {
    /// Executes one call, once.
    fn execute(&self, call: &ApiCall, context: &Context) -> impl Future<Output = CallOutcome> + Send;

    /// Whether the RR of this name is known to have ended or gone: a hint, which spares a write that would be refused.
    fn has_ended(&self, fingerprint: Fingerprint, name: &str) -> bool;
}

/// The API server, as far as one replica uses it.
pub struct Executor {
    client: Client,
    requests: Requests,
    in_flight: Semaphore,
    lists: Semaphore,
    call_timeout: Duration,
    index: Arc<Index>,
    rights: Doubt,
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

/// An answer of the API server, whatever it says.
pub(crate) struct ApiResponse {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its `Retry-After`.
    retry_after: Option<Duration>,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Executor {
    /// An executor over `client`, whose own retries must be off: it would repeat creates behind the protocol's back.
    /// `rights` is told where a call was refused for the lack of one.
    pub fn new(client: Client, settings: Settings, index: Arc<Index>, rights: Doubt, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            in_flight: Semaphore::new(settings.max_calls_in_flight),
            lists: Semaphore::new(MAX_LISTS),
            call_timeout: settings.call_timeout,
            requests: Requests::new(settings),
            index,
            rights,
            metrics,
        }
    }

    /// Executes a call that belongs to no batch: a read, or a removal.
    pub(crate) async fn execute_off_path(&self, call: &ApiCall, fingerprint: Fingerprint) -> CallOutcome {
        self.call(call, fingerprint, None).await
    }

    /// Sends a request that is not of the protocol, within the same limits and measured like all others.
    ///
    /// # Errors
    /// If there is no answer.
    pub(crate) async fn send(&self, kind: ResourceKind, request: Request<Vec<u8>>) -> Result<ApiResponse, CallFailure> {
        let _permit = self.in_flight.acquire().await;
        let mut measured = Measured::new(self, kind, false);
        let answered = self.answered(kind, request).await;
        measured.outcome = Some(match &answered {
            Ok(answered) => (outcome(answered.status), !answered.status.is_success()),
            Err(failure) => (failure.label(), true),
        });
        answered
    }

    /// Reads an object, or a page of a list; `None` if there is none.
    ///
    /// # Errors
    /// If nobody can tell.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        kind: ResourceKind,
        request: Request<Vec<u8>>,
    ) -> Result<Option<T>, CallFailure> {
        let ApiResponse { status, body, .. } = self.send(kind, request).await?;
        response::read_other(status, &body)
    }

    async fn call(&self, call: &ApiCall, fingerprint: Fingerprint, batch: Option<&Context>) -> CallOutcome {
        let request = match self.requests.build(call, fingerprint, batch) {
            Ok(request) => request,
            Err(error) => {
                // Only a bug gets here: every part of a request was checked when it was read.
                error!(%error, ?call, "cannot build a request to the API server");
                return CallOutcome::unknown(error.into());
            }
        };
        // An error would mean that somebody has closed it, and nobody does.
        let _permit = self.in_flight.acquire().await;
        let kind = request::kind(call);
        let mut measured = Measured::new(self, kind, batch.is_some());
        let outcome = match self.answered(kind, request).await {
            Ok(ApiResponse { status, retry_after, body }) => {
                CallOutcome { bytes: body.len(), ..response::read(call, fingerprint, status, retry_after, &body) }
            }
            Err(failure) => CallOutcome::unknown(failure),
        };
        measured.outcome = Some((outcome.outcome(), outcome.failure.is_some()));
        outcome
    }

    async fn answered(&self, kind: ResourceKind, request: Request<Vec<u8>>) -> Result<ApiResponse, CallFailure> {
        let exchange = timeout(self.call_timeout, self.exchange(request, kind.max_answer_bytes()));
        let answered = exchange.await.unwrap_or(Err(CallFailure::Timeout { after: self.call_timeout }))?;
        if matches!(answered.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.rights.raise();
        }
        Ok(answered)
    }

    async fn exchange(&self, request: Request<Vec<u8>>, max_bytes: usize) -> Result<ApiResponse, CallFailure> {
        let broken = |reason| CallFailure::Connection { reason };
        let response = self.client.send(request.map(Body::from)).await.map_err(|error| broken(chain(error)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, max_bytes).collect().await.map_err(|error| {
            let too_large = || CallFailure::Nonsense { reason: format!("it is larger than {max_bytes} bytes") };
            if error.is::<LengthLimitError>() { too_large() } else { broken(error.to_string()) }
        })?;
        let retry_after = response::retry_after(&head.headers);
        Ok(ApiResponse { status: head.status, retry_after, body: body.to_bytes().into() })
    }
}

impl Execute for Executor {
    async fn execute(&self, call: &ApiCall, context: &Context) -> CallOutcome {
        match call {
            ApiCall::FindRr { except } => self.find(context.fingerprint, except.as_ref()).await,
            _ => self.call(call, context.fingerprint, Some(context)).await,
        }
    }

    fn has_ended(&self, fingerprint: Fingerprint, name: &str) -> bool {
        self.index.has_ended(fingerprint, name)
    }
}

/// The outcome of an answer as metrics name it.
fn outcome(status: StatusCode) -> &'static str {
    match status {
        _ if status.is_success() => "ok",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::CONFLICT => "conflict",
        _ => CallFailure::of(status, String::new()).label(),
    }
}

/// Measures a call, and one that is dropped before its answer too: that is what deadlines do.
struct Measured<'a> {
    metrics: &'a Metrics,
    kind: ResourceKind,
    /// Whether signals wait for it.
    on_path: bool,
    started: Instant,
    /// The outcome, and whether it is no definite one.
    outcome: Option<(&'static str, bool)>,
}

impl<'a> Measured<'a> {
    fn new(executor: &'a Executor, kind: ResourceKind, on_path: bool) -> Self {
        Self { metrics: &executor.metrics, kind, on_path, started: Instant::now(), outcome: None }
    }
}

impl Drop for Measured<'_> {
    fn drop(&mut self) {
        let (outcome, failed) = self.outcome.unwrap_or(("abandoned", true));
        self.metrics.api_call(self.kind.verb, self.kind.resource, outcome, self.started.elapsed());
        if failed && self.on_path && self.kind.resource == LEASES {
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

impl<E: Execute> Execute for Arc<E> {
    fn execute(&self, call: &ApiCall, context: &Context) -> impl Future<Output = CallOutcome> + Send {
        E::execute(self, call, context)
    }

    fn has_ended(&self, fingerprint: Fingerprint, name: &str) -> bool {
        E::has_ended(self, fingerprint, name)
    }
}

#[cfg(test)]
mod tests;
