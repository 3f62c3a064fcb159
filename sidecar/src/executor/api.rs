//! One call to the API server: a permit, a request, a timeout, a bounded response, metrics.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use onceway_claim::ApiCall;
use onceway_signal::Fingerprint;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::error;

use super::execute::Context;
use super::measured::Measured;
use super::outcome::{CallFailure, CallOutcome};
use super::request::Requests;
use super::resource::ResourceKind;
use super::response;
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;

/// The API server, with the limits of one replica.
pub(super) struct Api {
    client: Client,
    pub(super) requests: Requests,
    in_flight: Semaphore,
    call_timeout: Duration,
    pub(super) recheck: PermissionRecheck,
    pub(super) metrics: Arc<Metrics>,
}

/// A response of the API server, whatever its status.
pub(crate) struct ApiResponse {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Api {
    pub(super) fn new(
        client: Client,
        requests: Requests,
        max_calls_in_flight: usize,
        call_timeout: Duration,
        recheck: PermissionRecheck,
        metrics: Arc<Metrics>,
    ) -> Self {
        let in_flight = Semaphore::new(max_calls_in_flight);
        Self { client, requests, in_flight, call_timeout, recheck, metrics }
    }

    /// Sends a request that is not part of the protocol.
    ///
    /// # Errors
    /// If there is no response.
    pub(super) async fn send(&self, kind: ResourceKind, request: Request<Vec<u8>>) -> Result<ApiResponse, CallFailure> {
        self.send_measured(kind, request, false).await
    }

    /// Sends a request that is not part of the protocol, and that signals wait for.
    ///
    /// # Errors
    /// If there is no response.
    pub(super) async fn send_on_path(
        &self,
        kind: ResourceKind,
        request: Request<Vec<u8>>,
    ) -> Result<ApiResponse, CallFailure> {
        self.send_measured(kind, request, true).await
    }

    async fn send_measured(
        &self,
        kind: ResourceKind,
        request: Request<Vec<u8>>,
        on_path: bool,
    ) -> Result<ApiResponse, CallFailure> {
        // `acquire` fails only on a closed semaphore; this one is never closed.
        let _permit = self.in_flight.acquire().await;
        let mut measured = Measured::new(&self.metrics, kind, on_path);
        let response = self.respond(kind, request).await;
        match &response {
            Ok(response) => measured.end(response::status_label(response.status), !response.status.is_success()),
            Err(failure) => measured.end(failure.label(), true),
        }
        response
    }

    /// Executes a call of the protocol. `batch` is set where signals wait for it.
    pub(super) async fn call(&self, call: &ApiCall, fingerprint: Fingerprint, batch: Option<&Context>) -> CallOutcome {
        let request = match self.requests.build(call, fingerprint, batch) {
            Ok(request) => request,
            Err(error) => {
                // A bug: every part of a request was checked when it was read.
                error!(%error, ?call, "cannot build a request to the API server");
                return CallOutcome::unknown(error.into());
            }
        };
        let _permit = self.in_flight.acquire().await;
        let kind = ResourceKind::of(call);
        let mut measured = Measured::new(&self.metrics, kind, batch.is_some());
        let outcome = match self.respond(kind, request).await {
            Ok(ApiResponse { status, retry_after, body }) => {
                let outcome = response::read(call, fingerprint, status, retry_after, &body);
                CallOutcome { bytes: body.len(), ..outcome }
            }
            Err(failure) => CallOutcome::unknown(failure),
        };
        measured.end(outcome.label(), outcome.failure.is_some());
        outcome
    }

    async fn respond(&self, kind: ResourceKind, request: Request<Vec<u8>>) -> Result<ApiResponse, CallFailure> {
        let exchange = timeout(self.call_timeout, self.exchange(request, kind.max_response_bytes()));
        let response = exchange.await.unwrap_or(Err(CallFailure::Timeout { after: self.call_timeout }))?;
        if matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.recheck.request();
        }
        Ok(response)
    }

    async fn exchange(&self, request: Request<Vec<u8>>, max_bytes: usize) -> Result<ApiResponse, CallFailure> {
        let broken = |reason| CallFailure::Connection { reason };
        let response = self.client.send(request.map(Body::from)).await.map_err(|error| broken(with_causes(&error)))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, max_bytes).collect().await.map_err(|error| {
            let too_large = || CallFailure::Nonsense { reason: format!("it is larger than {max_bytes} bytes") };
            if error.is::<LengthLimitError>() { too_large() } else { broken(error.to_string()) }
        })?;
        let retry_after = response::retry_after(&head.headers);
        Ok(ApiResponse { status: head.status, retry_after, body: body.to_bytes().into() })
    }
}

/// The error and its causes: hyper's "error sending request" does not name the cause.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
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
