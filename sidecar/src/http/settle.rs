//! The middle of a request's way: its body is decoded and sorted, each incident committed, the outcomes merged.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::HeaderMap;
use jiff::Timestamp;
use onceway_signal::{Fingerprint, Group, Source, decode};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::admission::RETRY_AFTER_S;
use super::answer::{Answer, Failure, Metadata, Outcome, merge};
use super::gateway::Gateway;
use super::intake::Taken;
use super::problem::{Kind, Problem};
use super::work::{Part, parts, state};
use crate::incident::{Commit, Counted, Submission, SubmitError};
use crate::rr::Draft;

/// The header in which the filter says what it hashed the request on: its first incident.
const FINGERPRINT_HEADER: &str = "x-onceway-fingerprint";

/// What is allowed beyond the deadline, so that whoever commits can say itself why it is late.
pub(super) const GRACE: Duration = Duration::from_millis(500);

impl<C: Commit> Gateway<C> {
    /// Answers a body once all of its parts are committed, some at a time.
    pub(super) async fn settle(self: Arc<Self>, source: Source, headers: HeaderMap, taken: Taken) -> Answer {
        // The body's room in memory is given back when all of it is answered.
        let Taken { body, room: _room } = taken;
        let received = Timestamp::now();
        let deadline = Instant::now() + self.limits.deadline;
        let parts = match self.sort(source, &headers, &body) {
            Ok(parts) => parts,
            Err(problem) => return problem.into(),
        };
        let _admitted = match self.admission.signals(parts.iter().map(Part::signals).sum()) {
            Ok(permit) => permit,
            Err(full) => return Problem::from(full).into(),
        };
        let gateway = &self;
        let body = &body;
        let outcomes = stream::iter(parts.into_iter().enumerate()).map(|(place, part)| async move {
            let outcome = match part {
                Part::Known(outcome) => *outcome,
                Part::Firing { fingerprint, entries } => {
                    let body = body.clone();
                    let max_payload_bytes = gateway.limits.max_stored_payload_bytes;
                    gateway
                        .count(Draft { source, body, entries, fingerprint, received, max_payload_bytes }, deadline)
                        .await
                }
            };
            (place, outcome)
        });
        // In whatever order they end: one that hangs must not keep those behind it from their turn.
        let at_once = self.limits.max_incidents_per_request_in_flight;
        let mut outcomes: Vec<(usize, Outcome)> = outcomes.buffer_unordered(at_once).collect().await;
        outcomes.sort_by_key(|(place, _)| *place);
        merge(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// Decodes a body and sorts it into its parts. What was decoded borrows from the body and is gone afterwards, so
    /// that a request that waits holds little more than its own bytes.
    fn sort(&self, source: Source, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Part>, Problem> {
        let payload = decode(source, body).map_err(|error| Problem::new(Kind::MalformedPayload, error.to_string()))?;
        for index in 0..payload.entries().len() {
            self.metrics.received(source.as_str(), state(&payload, index));
        }
        let groups = payload.groups();
        self.compare(headers, &groups);
        Ok(parts(&payload, groups))
    }

    /// A fingerprint that the filter computed otherwise means that the two are of different versions. It only ever
    /// chose the replica; what counts is what was computed here.
    fn compare(&self, headers: &HeaderMap, groups: &[Group]) {
        let Some(claimed) = headers.get(FINGERPRINT_HEADER) else { return };
        let computed = groups.first().map(|group| group.fingerprint.to_string()).unwrap_or_default();
        if claimed.as_bytes() != computed.as_bytes() {
            self.metrics.fingerprint_mismatch();
            warn!(?claimed, computed, "the filter computed another fingerprint: bring both to the same version");
        }
    }

    async fn count(&self, draft: Draft, deadline: Instant) -> Outcome {
        let fingerprint = draft.fingerprint;
        let submission = Submission {
            fingerprint,
            signals: nonzero(draft.entries.len()),
            received: draft.received,
            deadline,
            spec: Arc::new(move || draft.spec()),
        };
        let counted = if Instant::now() >= deadline {
            // Its turn came too late: to begin now would count what nobody waits for.
            Err(self.late())
        } else {
            timeout_at(deadline + GRACE, self.commit.submit(submission)).await.unwrap_or_else(|_| Err(self.late()))
        };
        counted.map_or_else(|error| self.failed(fingerprint, &error), |counted| outcome(fingerprint, counted))
    }

    fn late(&self) -> SubmitError {
        let deadline_ms = u64::try_from(self.limits.deadline.as_millis()).unwrap_or(u64::MAX);
        SubmitError::Deadline { deadline_ms, cause: "the incident's turn did not come".into() }
    }

    fn failed(&self, fingerprint: Fingerprint, error: &SubmitError) -> Outcome {
        let (problem, retry_after_seconds) = match error {
            SubmitError::Overloaded { limit, retry_after_s } => {
                self.metrics.shed(limit);
                (Kind::Overloaded, *retry_after_s)
            }
            SubmitError::Draining => (Kind::Draining, RETRY_AFTER_S),
            SubmitError::Deadline { .. } => (Kind::DeadlineExceeded, RETRY_AFTER_S),
            SubmitError::Refused { .. } => (Kind::Refused, RETRY_AFTER_S),
            SubmitError::Unresolved { .. } => (Kind::OutcomeUnknown, RETRY_AFTER_S),
        };
        Outcome::failed(fingerprint.to_string(), error.to_string(), Failure { problem, retry_after_seconds })
    }
}

/// A group has a signal at least, or it would not be one.
fn nonzero(signals: usize) -> NonZeroU32 {
    u32::try_from(signals).map_or(NonZeroU32::MAX, |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN))
}

fn outcome(fingerprint: Fingerprint, counted: Counted) -> Outcome {
    let metadata = Metadata {
        fingerprint: fingerprint.to_string(),
        count: counted.count,
        remediation_request_ref: format!("{}/{}", counted.namespace, counted.name),
        first_occurrence: seconds(counted.first_seen),
        last_occurrence: seconds(counted.last_seen),
    };
    Outcome::counted(counted.created, counted.namespace, counted.name, metadata)
}

/// A time as the RR has it: in whole seconds.
fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
