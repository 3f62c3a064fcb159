//! The signal port: its routes, and the way of a request from its headers to its answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use http::header::ALLOW;
use http::{HeaderValue, Uri};
use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::response::SignalResponse;
use onceway_signal::{FINGERPRINT_HEADER, Source};
use tokio::time::Instant;
use tracing::{Instrument, debug, error, info_span, warn};

use super::admission::{Admission, RETRY_AFTER_S};
use super::intake::take;
use super::reply::respond;
use super::settle::Settled;
use crate::config::Limits;
use crate::incident::Commit;
use crate::metrics::Metrics;

/// The label of requests to paths that do not exist.
const OTHER: &str = "other";

/// Takes signals in and answers them.
#[derive(Debug)]
pub struct Gateway<C> {
    pub(super) commit: Arc<C>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) limits: Limits,
    pub(super) admission: Admission,
}

impl<C: Commit> Gateway<C> {
    /// Hands signals to `commit`, within `limits`.
    pub fn new(commit: Arc<C>, limits: Limits, metrics: Arc<Metrics>) -> Arc<Self> {
        let admission = Admission::new(&limits, Arc::clone(&metrics));
        Arc::new(Self { commit, metrics, limits, admission })
    }

    /// The routes of the signal port.
    pub fn router(self: Arc<Self>) -> Router {
        let route = |source| post(move |State(gateway): State<Arc<Self>>, request| gateway.receive(source, request));
        Source::ALL
            .into_iter()
            .fold(Router::new(), |router, source| router.route(source.path(), route(source)))
            .method_not_allowed_fallback(Self::method_not_allowed)
            .fallback(Self::not_found)
            .with_state(self)
    }

    async fn receive(self: Arc<Self>, source: Source, request: Request) -> Response {
        let started = Instant::now();
        let _in_hand = self.metrics.request();
        let settled = Arc::clone(&self).answer(source, request).instrument(info_span!("request", path = source.path()));
        self.reply(source.path(), started, settled.await)
    }

    async fn answer(self: Arc<Self>, source: Source, request: Request) -> Settled {
        let _admitted = match self.admission.request() {
            Ok(permit) => permit,
            Err(full) => return full.into(),
        };
        let claimed = request.headers().get(FINGERPRINT_HEADER).cloned();
        let body = match take(request, &self.limits, &self.admission).await {
            Ok(body) => body,
            Err(problem) => return problem.into(),
        };
        // A task of its own: when the sender hangs up, what has been begun is still finished, and known to be.
        let settled = tokio::spawn(Arc::clone(&self).settle(source, claimed, body).in_current_span());
        settled.await.unwrap_or_else(|failure| {
            error!(%failure, "a request stopped at a bug");
            self.metrics.panicked();
            let detail = "the request met a bug, which is in the log; send it again";
            Problem::new(ProblemKind::Internal, detail).retry_after(RETRY_AFTER_S).into()
        })
    }

    async fn method_not_allowed(State(gateway): State<Arc<Self>>, uri: Uri) -> Response {
        let path = Source::from_path(uri.path()).map_or(OTHER, Source::path);
        let problem = Problem::new(ProblemKind::MethodNotAllowed, "this path takes signals; send them with POST");
        let mut response = gateway.reply(path, Instant::now(), problem.into());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        response
    }

    async fn not_found(State(gateway): State<Arc<Self>>) -> Response {
        let [prometheus, event] = Source::ALL.map(Source::path);
        let detail = format!("send Alertmanager webhooks to {prometheus} and Kubernetes events to {event}");
        gateway.reply(OTHER, Instant::now(), Problem::new(ProblemKind::NotFound, detail).into())
    }

    fn reply(&self, path: &'static str, started: Instant, settled: Settled) -> Response {
        let Settled { answer, room } = settled;
        let answer = match answer {
            SignalResponse::Problem(problem) => {
                log(path, &problem);
                let instance = (path != OTHER).then_some(path);
                SignalResponse::from(Problem { instance, ..*problem })
            }
            answer => answer,
        };
        let response = respond(&answer, room);
        self.metrics.answered(path, response.status().as_u16(), started.elapsed());
        response
    }
}

/// A 4xx is a fault of the sender's that somebody has to mend; a 503 comes in thousands when it comes, and is counted.
fn log(path: &'static str, problem: &Problem) {
    if problem.status < 500 {
        warn!(path, status = problem.status, detail = problem.detail, "request refused");
    } else {
        debug!(path, status = problem.status, detail = problem.detail, "request to be sent again");
    }
}

#[cfg(test)]
mod tests;
