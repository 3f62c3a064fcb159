//! The signal port: its routes, and a request's path from headers to response.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::post;
use axum::{Extension, Router};
use http::header::ALLOW;
use http::{HeaderValue, Method, Uri};
use jiff::Timestamp;
use onceway_signal::problem::{Problem, ProblemKind, ProblemTypes};
use onceway_signal::response::{MultiStatus, SignalOutcome, SignalResponse, Status};
use onceway_signal::{Origin, Source};
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, error, warn};

use super::admission::{Admission, RETRY_AFTER_S};
use super::commit_body::{Asker, BodyCommitter, FilterHeaders, PermittedResponse};
use super::intake::read_body;
use super::policy::Policy;
use super::request_context::{RequestId, RequestTrace, in_span};
use super::request_time::check_timestamp;
use super::response::to_http;
use super::tally::kind;
use super::{OTHER_METHOD, OTHER_PATH};
use crate::auth::Auth;
use crate::config::{Freshness, Limits};
use crate::incident::Commit;
use crate::metrics::Metrics;
use crate::rr::Provenance;
use crate::traces::Traces;

/// Receives signals and responds to them.
#[derive(Debug)]
pub struct Gateway<C> {
    bodies: Arc<BodyCommitter<C>>,
    limits: Limits,
    admission: Arc<Admission>,
    metrics: Arc<Metrics>,
    auth: Arc<Auth>,
    freshness: Freshness,
    problem_types: ProblemTypes,
}

/// What the response to a request and its metrics say of the request.
struct Asked {
    /// The path, or [`OTHER_PATH`].
    path: &'static str,
    method: &'static str,
    id: RequestId,
    at: Instant,
    /// Whether its sender is known, or need not be.
    is_authenticated: bool,
}

impl<C: Commit> Gateway<C> {
    /// Submits signals to `commit`, within `limits`, with targets by the rules of `policy`, of senders that `auth` permits.
    pub fn new(
        commit: Arc<C>,
        policy: Policy,
        limits: Limits,
        metrics: Arc<Metrics>,
        auth: Arc<Auth>,
        problem_types: ProblemTypes,
    ) -> Arc<Self> {
        let admission = Arc::new(Admission::new(&limits, Arc::clone(&metrics)));
        let (admitted, measured, permitted) = (Arc::clone(&admission), Arc::clone(&metrics), Arc::clone(&auth));
        let freshness = policy.freshness.clone();
        let bodies = BodyCommitter::new(commit, policy, limits.clone(), admitted, measured, permitted);
        Arc::new(Self { bodies: Arc::new(bodies), limits, admission, metrics, auth, freshness, problem_types })
    }

    /// The routes of the signal port, whose requests have spans of `traces`.
    pub fn router(self: Arc<Self>, traces: Traces) -> Router {
        let route = |source| post(move |State(gateway): State<Arc<Self>>, request| gateway.receive(source, request));
        Source::ALL
            .into_iter()
            .fold(Router::new(), |router, source| router.route(source.path(), route(source)))
            .method_not_allowed_fallback(Self::method_not_allowed)
            .fallback(Self::not_found)
            .layer(from_fn_with_state(traces, in_span))
            .with_state(self)
    }

    async fn receive(self: Arc<Self>, source: Source, request: Request) -> Response {
        let mut asked = Asked::now(source.path(), request.method(), request.extensions().get());
        let _in_flight = self.metrics.request();
        let response = self.respond(source, request, &mut asked.is_authenticated).await;
        self.finish(asked, response)
    }

    async fn respond(&self, source: Source, request: Request, is_authenticated: &mut bool) -> PermittedResponse {
        let _admitted = match self.admission.request() {
            Ok(permit) => permit,
            Err(exceeded) => return exceeded.into(),
        };
        if let Err(problem) = check_timestamp(request.headers(), Timestamp::now(), &self.freshness) {
            return problem.into();
        }
        let origin = match Origin::new(source, request.uri().query()) {
            Ok(origin) => origin,
            Err(error) => return Problem::new(ProblemKind::MalformedPayload, error.to_string()).into(),
        };
        // Before the body is read: that of a stranger takes no memory.
        let asked = Instant::now();
        let sender = match self.auth.authenticate(request.headers()).await {
            Ok(sender) => sender,
            Err(error) => return Problem::from(error).into(),
        };
        let checking = asked.elapsed();
        *is_authenticated = true;
        let name = sender.as_ref().map(|sender| sender.name());
        Span::current().record("sender", name.map(|name| &**name));
        let request_id = request.extensions().get().map(|RequestId(id)| Arc::clone(id));
        let trace = request.extensions().get().map(RequestTrace::begin).unwrap_or_default();
        let provenance = Provenance { sender: name.cloned(), request_id };
        let headers = FilterHeaders::of(request.headers());
        let body = match read_body(request, &self.limits, &self.admission).await {
            Ok(body) => body,
            Err(problem) => return problem.into(),
        };
        let bodies = Arc::clone(&self.bodies);
        let asker = Asker { sender, provenance, checking, trace };
        // Detached: when the sender disconnects, the commit still runs to its end and its outcome is known.
        let committed =
            tokio::spawn(async move { bodies.commit(origin, headers, asker, body).await }.in_current_span());
        committed.await.unwrap_or_else(|failure| {
            error!(event = "request_panicked", cause = %failure, "a request panicked");
            self.metrics.panicked();
            let detail = "internal error while processing the request; send it again";
            Problem::new(ProblemKind::Internal, detail).retry_after(RETRY_AFTER_S).into()
        })
    }

    async fn method_not_allowed(
        State(gateway): State<Arc<Self>>,
        method: Method,
        uri: Uri,
        id: Option<Extension<RequestId>>,
    ) -> Response {
        let path = Source::from_path(uri.path()).map_or(OTHER_PATH, Source::path);
        let problem =
            Problem::new(ProblemKind::MethodNotAllowed, "this path accepts only POST; send signals with POST");
        let mut response = gateway.finish(Asked::now(path, &method, id.as_deref()), problem.into());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        response
    }

    async fn not_found(State(gateway): State<Arc<Self>>, method: Method, id: Option<Extension<RequestId>>) -> Response {
        let [prometheus, event] = Source::ALL.map(Source::path);
        let detail =
            format!("no such path; send Alertmanager webhooks to {prometheus} and Kubernetes events to {event}");
        let asked = Asked::now(OTHER_PATH, &method, id.as_deref());
        gateway.finish(asked, Problem::new(ProblemKind::NotFound, detail).into())
    }

    /// Logs and measures a response, and writes it as HTTP.
    fn finish(&self, asked: Asked, response: PermittedResponse) -> Response {
        let PermittedResponse { response, permit } = response;
        let Asked { path, method, id: RequestId(id), at, is_authenticated } = asked;
        let response = match response {
            SignalResponse::Problem(problem) => {
                log(path, &problem, is_authenticated);
                self.metrics.outcomes.problem(kind(&problem), problem.status);
                let instance = (path != OTHER_PATH).then_some(path);
                SignalResponse::from(Problem { instance, request_id: Some(Box::from(&*id)), ..*problem })
            }
            response => {
                log_rejected(path, &response);
                response
            }
        };
        let response = to_http(&response.typed(self.problem_types), permit);
        self.metrics.answered(path, method, response.status().as_u16(), at.elapsed());
        response
    }
}

impl Asked {
    /// Of a request that has just arrived.
    fn now(path: &'static str, method: &Method, id: Option<&RequestId>) -> Self {
        // A client can make up any method, and a label has a bounded number of values.
        let method = match *method {
            Method::POST => "POST",
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::PUT => "PUT",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            _ => OTHER_METHOD,
        };
        Self { path, method, id: id.cloned().unwrap_or_default(), at: Instant::now(), is_authenticated: false }
    }
}

/// Signals that are rejected beside others need a person, too.
fn log_rejected(path: &'static str, response: &SignalResponse) {
    let SignalResponse::MultiStatus(MultiStatus { results, summary }) = response else { return };
    let rejected = results.iter().find(|outcome| outcome.status == Status::Rejected);
    if let Some(SignalOutcome { message, fingerprint, .. }) = rejected {
        let signals = summary.rejected;
        warn!(event = "signals_rejected", path, signals, cause = message, fingerprint, "signals of a webhook rejected");
    }
}

/// A 4xx needs a person to fix the sender: warn. 503s come by the thousand in an outage and are counted: debug. Lines are
/// limited by their place in the code: strangers have one of their own, so that they hide no sender's.
fn log(path: &'static str, problem: &Problem, is_authenticated: bool) {
    let (status, cause) = (problem.status, &*problem.detail);
    if status < 500 && is_authenticated {
        warn!(event = "request_rejected", path, status, cause, "request rejected");
    } else if status < 500 {
        warn!(event = "stranger_rejected", path, status, cause, "request rejected before its sender was known");
    } else {
        debug!(path, status = problem.status, detail = problem.detail, "request failed; the sender should retry");
    }
}
