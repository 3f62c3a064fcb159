//! One request to the API server: a slot, a timeout, a bounded response, metrics.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kube::Client;
use kube::client::Body;
use tokio::time::timeout;

use super::load::Load;
use super::measured::Measured;
use super::outcome::CallFailure;
use super::resource::ResourceKind;
use super::response;
use crate::causes::with_causes;
use crate::health::permissions::PermissionRecheck;
use crate::metrics::Metrics;

/// A client of the API server, with limits.
pub(super) struct Transport {
    client: Client,
    pub(super) load: Load,
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

impl Transport {
    /// At most `max_calls_in_flight` requests at a time, each for at most `call_timeout`. A 401 or 403 notifies `recheck`.
    pub(super) fn new(
        client: Client,
        max_calls_in_flight: usize,
        call_timeout: Duration,
        recheck: PermissionRecheck,
        metrics: Arc<Metrics>,
    ) -> Self {
        let load = Load::new(max_calls_in_flight);
        Self { client, load, call_timeout, recheck, metrics }
    }

    /// Begins to measure a request; `on_path` says whether signals wait for it.
    pub(super) fn measured(&self, kind: ResourceKind, on_path: bool) -> Measured<'_> {
        Measured::new(&self.metrics, kind, on_path)
    }

    /// Sends a request that is not part of the protocol; `on_path` says whether signals wait for it.
    ///
    /// # Errors
    /// If there is no response.
    pub(super) async fn send(
        &self,
        kind: ResourceKind,
        request: Request<Vec<u8>>,
        on_path: bool,
    ) -> Result<ApiResponse, CallFailure> {
        let _slot = self.load.slot().await;
        let mut measured = self.measured(kind, on_path);
        let response = self.respond(kind, request).await;
        match &response {
            Ok(response) => measured.end(response::status_label(response.status), !response.status.is_success()),
            Err(failure) => measured.end(failure.label(), true),
        }
        response
    }

    /// Sends a request that has a slot and is measured.
    ///
    /// # Errors
    /// If there is no response.
    pub(super) async fn respond(
        &self,
        kind: ResourceKind,
        request: Request<Vec<u8>>,
    ) -> Result<ApiResponse, CallFailure> {
        let timed = self.load.timed();
        let exchange = timeout(self.call_timeout, self.exchange(request, kind.max_response_bytes())).await;
        drop(timed);
        let response = exchange.unwrap_or(Err(CallFailure::Timeout { after: self.call_timeout }))?;
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
