//! The middle of a request's way: its body is decoded and sorted, each incident committed, the outcomes merged.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http::HeaderValue;
use jiff::Timestamp;
use onceway_signal::problem::{Problem, ProblemKind};
use onceway_signal::response::{Failure, Metadata, SignalOutcome, SignalResponse, merge};
use onceway_signal::{Fingerprint, Group, Source, decode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::admission::RETRY_AFTER_S;
use super::gateway::Gateway;
use super::quote::quote;
use super::work::{Firing, Work, sort, state};
use crate::incident::{Commit, Counted, Submission, SubmitError};
use crate::rr::Draft;

/// What is allowed beyond the deadline, so that whoever commits can say itself why it is late.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

/// An answer, and the place in memory of all that it tells of.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) answer: SignalResponse,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

impl<P: Into<Problem>> From<P> for Settled {
    fn from(problem: P) -> Self {
        Self { answer: problem.into().into(), room: None }
    }
}

impl<C: Commit> Gateway<C> {
    /// Answers a body once all of its incidents are committed, some at a time.
    pub(super) async fn settle(self: Arc<Self>, source: Source, claimed: Option<HeaderValue>, body: Bytes) -> Settled {
        let received = Timestamp::now();
        let deadline = Instant::now() + self.limits.deadline;
        let (Work { firing, rest }, room) = match self.sort(source, claimed, &body) {
            Ok(sorted) => sorted,
            Err(problem) => return problem.into(),
        };
        let (gateway, max_payload_bytes) = (&self, self.limits.max_stored_payload_bytes);
        let committed = stream::iter(firing).map(|Firing { place, fingerprint, part }| {
            let draft = Draft { body: body.clone(), part, fingerprint, received, max_payload_bytes };
            async move { (place, fingerprint, gateway.count(draft, deadline).await) }
        });
        // In whatever order they end: one that hangs must not keep those behind it from their turn.
        let at_once = self.limits.max_incidents_per_request_in_flight;
        let committed: Vec<(usize, Fingerprint, Result<Counted, SubmitError>)> =
            committed.buffer_unordered(at_once).collect().await;
        if let Some(limit) = committed.iter().find_map(|(.., result)| result.as_ref().err()?.limit()) {
            self.metrics.shed(limit);
        }
        let committed = committed.into_iter().map(|(place, fingerprint, result)| (place, told(fingerprint, result)));
        let mut outcomes: Vec<(usize, SignalOutcome)> = committed.chain(rest.outcomes()).collect();
        outcomes.sort_by_key(|(place, _)| *place);
        Settled { answer: merge(outcomes.into_iter().map(|(_, outcome)| outcome).collect()), room: Some(room) }
    }

    /// Decodes a body, admits its alerts, and sorts them. What was decoded borrows from the body and is gone afterwards,
    /// so that a request that waits holds little more than its own bytes.
    fn sort(
        &self,
        source: Source,
        claimed: Option<HeaderValue>,
        body: &[u8],
    ) -> Result<(Work, OwnedSemaphorePermit), Problem> {
        let payload =
            decode(source, body).map_err(|error| Problem::new(ProblemKind::MalformedPayload, error.to_string()))?;
        for index in 0..payload.entries().len() {
            self.metrics.received(source.as_str(), state(&payload, index));
        }
        let room = self.admission.signals(payload.entries().len())?;
        let groups = payload.groups();
        self.compare(claimed, &groups);
        Ok((sort(&payload, groups), room))
    }

    /// A fingerprint that the filter computed otherwise means that the two are of different versions. It only ever
    /// chose the replica; what counts is what was computed here.
    fn compare(&self, claimed: Option<HeaderValue>, groups: &[Group]) {
        let Some(claimed) = claimed else { return };
        let computed = Group::leading(groups).map(|fingerprint| fingerprint.to_string()).unwrap_or_default();
        if claimed.as_bytes() != computed.as_bytes() {
            self.metrics.fingerprint_mismatch();
            warn!(
                claimed = quote(&claimed),
                computed, "the filter computed another fingerprint: bring both to the same version"
            );
        }
    }

    async fn count(&self, draft: Draft, deadline: Instant) -> Result<Counted, SubmitError> {
        let submission = Submission {
            fingerprint: draft.fingerprint,
            signals: nonzero(draft.part.entries()),
            received: draft.received,
            deadline,
            spec: Arc::new(move || draft.spec()),
        };
        if Instant::now() >= deadline {
            // Its turn came too late: to begin now would count what nobody waits for.
            return Err(self.late());
        }
        timeout_at(deadline + GRACE, self.commit.submit(submission)).await.unwrap_or_else(|_| Err(self.late()))
    }

    fn late(&self) -> SubmitError {
        let deadline_ms = u64::try_from(self.limits.deadline.as_millis()).unwrap_or(u64::MAX);
        SubmitError::Deadline { deadline_ms, cause: "the incident's turn did not come".into() }
    }
}

/// A group has a signal at least, or it would not be one.
fn nonzero(signals: usize) -> NonZeroU32 {
    u32::try_from(signals).map_or(NonZeroU32::MAX, |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN))
}

fn told(fingerprint: Fingerprint, result: Result<Counted, SubmitError>) -> SignalOutcome {
    match result {
        Ok(counted) => outcome(fingerprint, counted),
        Err(error) => failed(fingerprint, &error),
    }
}

fn failed(fingerprint: Fingerprint, error: &SubmitError) -> SignalOutcome {
    let (problem, retry_after_seconds) = match error {
        SubmitError::Overloaded { retry_after_s, .. } => (ProblemKind::Overloaded, *retry_after_s),
        SubmitError::Draining => (ProblemKind::Draining, RETRY_AFTER_S),
        SubmitError::Deadline { .. } => (ProblemKind::DeadlineExceeded, RETRY_AFTER_S),
        SubmitError::Refused { .. } => (ProblemKind::Refused, RETRY_AFTER_S),
        SubmitError::Unresolved { .. } => (ProblemKind::OutcomeUnknown, RETRY_AFTER_S),
    };
    SignalOutcome::failed(fingerprint.to_string(), error.to_string(), Failure { problem, retry_after_seconds })
}

fn outcome(fingerprint: Fingerprint, counted: Counted) -> SignalOutcome {
    let metadata = Metadata {
        fingerprint: fingerprint.to_string(),
        count: counted.count,
        remediation_request_ref: format!("{}/{}", counted.namespace, counted.name),
        first_occurrence: seconds(counted.first_seen),
        last_occurrence: seconds(counted.last_seen),
    };
    SignalOutcome::counted(counted.created, counted.namespace, counted.name, metadata)
}

/// A time as the RR has it: in whole seconds.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
