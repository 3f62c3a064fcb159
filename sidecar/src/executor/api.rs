//! The protocol's calls to the API server.

use http::Request;
use onceway_claim::ApiCall;
use onceway_signal::Fingerprint;
use tracing::error;

use super::execute::Context;
use super::outcome::{CallFailure, CallOutcome};
use super::request::Requests;
use super::resource::ResourceKind;
use super::response;
use super::transport::{ApiResponse, Transport};
use crate::rr::RemediationRequestSpec;

/// The API server, with the limits of one replica.
pub(super) struct Api {
    pub(super) transport: Transport,
    pub(super) requests: Requests,
}

impl Api {
    /// Sends a request that is not part of the protocol.
    ///
    /// # Errors
    /// If there is no response.
    pub(super) async fn send(&self, kind: ResourceKind, request: Request<Vec<u8>>) -> Result<ApiResponse, CallFailure> {
        self.transport.send(kind, request, false).await
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
        self.transport.send(kind, request, true).await
    }

    /// Executes a call of the protocol. `batch` is set where signals wait for it, `spec` where it creates an RR.
    pub(super) async fn call(
        &self,
        call: &ApiCall,
        fingerprint: Fingerprint,
        batch: Option<&Context>,
        spec: Option<&RemediationRequestSpec>,
    ) -> CallOutcome {
        let request = match self.requests.build(call, fingerprint, batch, spec) {
            Ok(request) => request,
            Err(error) => {
                // A bug: every part of a request was checked when it was read.
                error!(event = "request_not_built", cause = %error, ?call, "cannot build a request to the API server");
                return CallOutcome::unknown(error.into());
            }
        };
        let _slot = self.transport.load.slot().await;
        let kind = ResourceKind::of(call);
        let mut measured = self.transport.measured(kind, batch.is_some());
        let outcome = match self.transport.respond(kind, request).await {
            Ok(ApiResponse { status, retry_after, body }) => {
                let outcome = response::read(call, fingerprint, status, retry_after, &body);
                CallOutcome { bytes: body.len(), ..outcome }
            }
            Err(failure) => CallOutcome::unknown(failure),
        };
        measured.end(outcome.label(), outcome.failure.is_some());
        outcome
    }
}
