//! From a request body to its response: decodes and classifies it, commits each incident, merges the outcomes.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::response::{Failure, Metadata, SignalOutcome, SignalResponse, TargetRejection, merge};
use onceway_signal::truncate::truncate_quoted;
use onceway_signal::{
    Digest, FINGERPRINT_HEADER, Fingerprint, Group, Origin, Payload, Source, TARGETS_HEADER, TIME_LEFT_HEADER,
    WEBHOOK_HEADER, decode,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tracing::{Span, debug, warn};

use super::admission::{Admission, RETRY_AFTER_S};
use super::authorize::{Refused, refuse};
use super::classify::{Classified, FiringIncident, classify, severity, state};
use super::parts::{CountedParts, Known, Part};
use super::policy::Policy;
use super::tally::Tally;
use crate::auth::{Auth, Sender};
use crate::config::{DEADLINE_GRACE, Limits};
use crate::incident::{Commit, Counted, LogContext, Submission, SubmitError};
use crate::metrics::Metrics;
use crate::rr::{Draft, Provenance};
use crate::traces::Trace;
use crate::workload::NewTarget;

/// Commits request bodies.
#[derive(Debug)]
pub(super) struct BodyCommitter<C> {
    commit: Arc<C>,
    policy: Policy,
    limits: Limits,
    admission: Arc<Admission>,
    metrics: Arc<Metrics>,
    auth: Arc<Auth>,
    parts: Arc<CountedParts>,
}

/// Of the time that the filter waits, what a response takes to reach it.
const ON_THE_WAY: Duration = Duration::from_millis(200);

/// What the filter says of a request.
#[derive(Debug)]
pub(super) struct FilterHeaders {
    /// The fingerprint that it computed.
    fingerprint: Option<HeaderValue>,
    /// The hash of its target rules.
    targets: Option<HeaderValue>,
    /// The id of the webhook that the request is a part of.
    webhook: Option<Digest>,
    /// How long it waits for the response.
    time_left: Option<Duration>,
}

impl FilterHeaders {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let header = |name| headers.get(name).cloned();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let time_left = text(TIME_LEFT_HEADER).and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
        let webhook = text(WEBHOOK_HEADER).and_then(|id| id.parse().ok());
        Self { fingerprint: header(FINGERPRINT_HEADER), targets: header(TARGETS_HEADER), webhook, time_left }
    }

    /// How long the filter waits for the response to be sent; `most` if it does not say.
    fn time(&self, most: Duration) -> Duration {
        self.time_left.map_or(most, |left| left.saturating_sub(ON_THE_WAY).min(most))
    }
}

/// Who asks.
#[derive(Debug)]
pub(super) struct Asker {
    /// The sender, if senders are authenticated.
    pub(super) sender: Option<Arc<Sender>>,
    pub(super) provenance: Provenance,
    /// How long the check of the credentials took.
    pub(super) checking: Duration,
    /// The span of the request.
    pub(super) trace: Trace,
}

/// A response, and the admission permit of the alerts that it reports: both live until the response is written.
#[derive(Debug)]
pub(super) struct PermittedResponse {
    pub(super) response: SignalResponse,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

impl<P: Into<Problem>> From<P> for PermittedResponse {
    fn from(problem: P) -> Self {
        Self { response: problem.into().into(), permit: None }
    }
}

impl<C: Commit> BodyCommitter<C> {
    pub(super) fn new(
        commit: Arc<C>,
        policy: Policy,
        limits: Limits,
        admission: Arc<Admission>,
        metrics: Arc<Metrics>,
        auth: Arc<Auth>,
    ) -> Self {
        Self { commit, policy, limits, admission, metrics, auth, parts: Arc::default() }
    }

    /// The response to `body`, once all of its incidents that `sender` may signal about are committed, up to
    /// `limits.maxIncidentsPerRequestInFlight` at a time.
    pub(super) async fn commit(
        &self,
        origin: Origin,
        headers: FilterHeaders,
        asker: Asker,
        body: Bytes,
    ) -> PermittedResponse {
        let Asker { sender, provenance, checking, trace } = asker;
        let received = Timestamp::now();
        let now = Instant::now();
        // A sender waits for the check of its credentials, too.
        let deadline = now + headers.time(self.limits.deadline).saturating_sub(checking);
        let (mut classified, permit) = match self.classify(&origin, &headers, &body, received) {
            Ok(classified) => classified,
            Err(problem) => return problem.into(),
        };
        // Incidents whose right is known must not wait for the others until it is too late.
        let decide_by = deadline.min(now + self.limits.api_call_timeout);
        let Refused { outcomes: refused, undecided } =
            refuse(&self.auth, sender.as_ref(), &mut classified, decide_by).await;
        let Classified { firing, uncommitted, .. } = classified;
        let source = origin.source;
        let max_payload_bytes = self.limits.max_stored_payload_bytes;
        let request = Span::current();
        let commits = stream::iter(firing).map(|incident| {
            let FiringIncident { place, fingerprint, part, by_name, target, named, namespace, .. } = incident;
            let signals = nonzero(part.entries());
            let part_of_webhook = headers.webhook.and_then(|id| Some(Part::of(id, fingerprint, &part.slice(&body)?)));
            let rules = Arc::clone(&self.policy.rules);
            let draft = Draft { body: body.clone(), part, rules, fingerprint, received, max_payload_bytes };
            let submission = Submission {
                fingerprint,
                source,
                signals,
                by_name,
                received,
                deadline,
                spec: Arc::new(move || draft.spec()),
                target: NewTarget::new(named),
                log: LogContext { target, request: request.clone(), trace: trace.clone() },
                provenance: provenance.clone(),
                namespace,
                when_counted: None,
            };
            async move { (place, fingerprint, signals, self.submit_part(part_of_webhook, submission).await) }
        });
        // Unordered: an incident that hangs must not delay those behind it.
        let in_flight = self.limits.max_incidents_per_request_in_flight;
        let results: Vec<(usize, Fingerprint, NonZeroU32, Result<Counted, SubmitError>)> =
            commits.buffer_unordered(in_flight).collect().await;
        if let Some(limit) = results.iter().find_map(|(.., result)| result.as_ref().err()?.limit()) {
            self.metrics.shed(limit);
        }
        let mut tally = Tally::failed(undecided);
        results.iter().for_each(|(.., signals, result)| tally.add(signals.get(), result));
        let denied = results.iter().filter(|(.., result)| matches!(result, Err(SubmitError::Denied { .. })));
        self.metrics.rejections.add("policy", denied.count());
        let committed =
            results.into_iter().map(|(place, fingerprint, _, result)| (place, to_outcome(fingerprint, result)));
        let mut outcomes: Vec<(usize, SignalOutcome)> =
            committed.chain(refused).chain(uncommitted.outcomes()).collect();
        outcomes.sort_by_key(|(place, _)| *place);
        let response = merge(outcomes.into_iter().map(|(_, outcome)| outcome).collect());
        tally.record(source, &response, &self.metrics.outcomes);
        PermittedResponse { response, permit: Some(permit) }
    }

    /// Decodes a body, admits its alerts, and classifies them. The decoded payload borrows from the body and is dropped
    /// here: a waiting request holds little more than its own bytes.
    fn classify(
        &self,
        origin: &Origin,
        headers: &FilterHeaders,
        body: &[u8],
        received: Timestamp,
    ) -> Result<(Classified, OwnedSemaphorePermit), Problem> {
        let payload = decode(&self.policy.rules, origin, body)
            .map_err(|error| Problem::new(ProblemKind::MalformedPayload, error.to_string()))?;
        self.measure(origin.source, &payload);
        let permit = self.admission.signals(payload.entries().len())?;
        let groups = payload.groups();
        self.compare(headers, &groups);
        Ok((classify(&payload, groups, &self.policy, received, &self.metrics), permit))
    }

    /// Alerts of one webhook are often alike, and one look-up counts all that follow each other.
    fn measure(&self, source: Source, payload: &Payload<'_>) {
        let labels = |index: &usize| (severity(payload, *index), state(payload, *index));
        let indices: Vec<usize> = (0..payload.entries().len()).collect();
        for alike in indices.chunk_by(|one, next| labels(one) == labels(next)) {
            let Some((severity, state)) = alike.first().map(labels) else { continue };
            self.metrics.received(source.as_str(), severity, state, alike.len() as u64);
        }
    }

    /// A header that differs from the computed fingerprint means that filter and sidecar have different versions or target
    /// rules. It is counted and otherwise ignored: the header only chose the replica.
    fn compare(&self, headers: &FilterHeaders, groups: &[Group]) {
        let Some(header) = &headers.fingerprint else { return };
        let computed = Group::leading(groups).map(|fingerprint| fingerprint.to_string()).unwrap_or_default();
        if header.as_bytes() != computed.as_bytes() {
            self.metrics.fingerprint_mismatch();
            warn!(
                event = "fingerprint_mismatch",
                header = truncate_quoted(header.as_bytes()),
                computed,
                filter_targets = headers.targets.as_ref().map(|hash| truncate_quoted(hash.as_bytes())),
                sidecar_targets = self.policy.rules.hash(),
                "fingerprint mismatch: run filter and sidecar in the same version and with the same target rules"
            );
        }
    }

    /// Submits what is not a part of a webhook that this replica has counted in an earlier attempt, or counts now.
    async fn submit_part(&self, part: Option<Part>, mut submission: Submission) -> Result<Counted, SubmitError> {
        let Some(part) = part else { return self.submit(submission).await };
        loop {
            match self.parts.begin(part) {
                Known::Counted(counted) => {
                    self.metrics.acknowledged_again(submission.signals.get());
                    return Ok(counted);
                }
                // Its sender has left, or has a 503. At the deadline there is no time to count it, either.
                Known::InFlight(attempt) => {
                    if timeout_at(submission.deadline, attempt.ended()).await.is_err() {
                        return self.submit(submission).await;
                    }
                }
                Known::Nothing(attempt) => {
                    submission.when_counted = Some(Box::new(move |counted| attempt.counted(counted)));
                    return self.submit(submission).await;
                }
            }
        }
    }

    async fn submit(&self, submission: Submission) -> Result<Counted, SubmitError> {
        let (fingerprint, deadline) = (submission.fingerprint, submission.deadline);
        let target = Arc::clone(&submission.log.target);
        let late = |cause: &str| {
            warn!(event = "deadline_exceeded", %fingerprint, signal_target = &*target, cause, "signals not counted within limits.deadline");
            Err(SubmitError::deadline(self.limits.deadline, cause))
        };
        if Instant::now() >= deadline {
            // The sender is answered 503 and retries: a commit that starts now would count its signals twice.
            return late("the commit did not start in time");
        }
        let committed = timeout_at(deadline + DEADLINE_GRACE, self.commit.submit(submission)).await;
        // The incident's task logs an error once for all requests that wait for it.
        let logged =
            |error: &SubmitError| debug!(%fingerprint, signal_target = &*target, %error, "signals not counted");
        match committed {
            Ok(result) => result.inspect_err(logged),
            Err(_) => late("the commit did not end in time"),
        }
    }
}

/// A firing incident has at least one signal.
fn nonzero(signals: usize) -> NonZeroU32 {
    u32::try_from(signals).map_or(NonZeroU32::MAX, |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN))
}

fn to_outcome(fingerprint: Fingerprint, result: Result<Counted, SubmitError>) -> SignalOutcome {
    match result {
        Ok(counted) => counted_outcome(fingerprint, counted),
        Err(error) => failed_outcome(fingerprint, &error),
    }
}

fn failed_outcome(fingerprint: Fingerprint, error: &SubmitError) -> SignalOutcome {
    let (problem, retry_after_seconds) = match error {
        SubmitError::Overloaded { retry_after_s, .. } => (ProblemKind::Overloaded, *retry_after_s),
        SubmitError::Draining => (ProblemKind::Draining, RETRY_AFTER_S),
        SubmitError::Deadline { .. } => (ProblemKind::DeadlineExceeded, RETRY_AFTER_S),
        SubmitError::Refused { .. } => (ProblemKind::Refused, RETRY_AFTER_S),
        SubmitError::Rejected(rejection) => {
            return SignalOutcome::rejected_target(fingerprint.to_string(), TargetRejection::clone(rejection));
        }
        SubmitError::Undecided { .. } => (ProblemKind::Refused, RETRY_AFTER_S),
        SubmitError::Denied { .. } => {
            let denial = ProblemKind::Forbidden;
            return SignalOutcome::denied(Some(fingerprint.to_string()), denial, error.sender_text());
        }
        SubmitError::Unresolved { .. } => (ProblemKind::OutcomeUnknown, RETRY_AFTER_S),
    };
    SignalOutcome::failed(fingerprint.to_string(), error.sender_text(), Failure { problem, retry_after_seconds })
}

fn counted_outcome(fingerprint: Fingerprint, counted: Counted) -> SignalOutcome {
    let metadata = Metadata {
        fingerprint: fingerprint.to_string(),
        count: counted.count,
        remediation_request_ref: format!("{}/{}", counted.namespace, counted.name),
        first_occurrence: seconds(counted.first_seen),
        last_occurrence: seconds(counted.last_seen),
    };
    SignalOutcome::counted(counted.created, counted.namespace, counted.name, metadata)
}

/// A time in whole seconds, as the RR stores it.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
