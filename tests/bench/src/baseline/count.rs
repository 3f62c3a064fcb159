//! Counts a signal in an RR's status; retries after a conflict.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use onceway::incident::{Counted, Submission, SubmitError};
use onceway::rr::{Deduplication, RemediationRequest};
use serde_json::json;

use super::{Algorithm, Backoff, is_conflict, refused};

pub(super) const BACKOFF: Backoff =
    Backoff { attempts: 4, first: Duration::from_millis(10), factor: 5, max: Duration::MAX };

impl Algorithm {
    pub(super) async fn count(
        &self,
        rr: RemediationRequest,
        submission: &Submission,
        created: bool,
    ) -> Result<Counted, SubmitError> {
        let name = rr.metadata.name.clone().unwrap_or_default();
        let mut first = Some(rr);
        let attempt = || self.try_count(&name, first.take(), submission);
        match BACKOFF.retry(attempt).await? {
            Some(seen) => Ok(self.counted(name, &seen, created)),
            None => Err(SubmitError::Unresolved { cause: format!("{} conflicts on {name}", BACKOFF.attempts) }),
        }
    }

    /// One attempt, on `rr` or else on the RR as it is now; `None` after a conflict.
    async fn try_count(
        &self,
        name: &str,
        rr: Option<RemediationRequest>,
        submission: &Submission,
    ) -> Result<Option<Deduplication>, SubmitError> {
        let rr = match rr {
            Some(rr) => rr,
            None => self.rrs.get(name).await.map_err(refused)?,
        };
        let seen = seen_once_more(&rr, submission);
        let patch = json!({
            // The compare-and-swap of an update, without overwriting fields that this program does not know.
            "metadata": { "resourceVersion": rr.metadata.resource_version, "uid": rr.metadata.uid },
            "status": { "deduplication": seen },
        });
        match self.rrs.patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await {
            Ok(_) => Ok(Some(seen)),
            Err(error) if is_conflict(&error) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    fn counted(&self, name: String, seen: &Deduplication, created: bool) -> Counted {
        let time = |time: &Option<Time>| time.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0);
        Counted {
            created,
            name,
            namespace: self.namespace.clone(),
            count: seen.occurrence_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
            first_seen: time(&seen.first_seen_at),
            last_seen: time(&seen.last_seen_at),
        }
    }
}

fn seen_once_more(rr: &RemediationRequest, submission: &Submission) -> Deduplication {
    let seen = rr.status.as_ref().and_then(|status| status.deduplication.clone()).unwrap_or_default();
    let received = Time(submission.received);
    let signals = i32::try_from(submission.signals.get()).unwrap_or(i32::MAX);
    Deduplication {
        first_seen_at: seen.first_seen_at.or_else(|| Some(received.clone())),
        last_seen_at: Some(received),
        occurrence_count: Some(seen.occurrence_count.unwrap_or(0).saturating_add(signals)),
        ..Deduplication::default()
    }
}
