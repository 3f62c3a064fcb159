//! Counts in an RR's status, again where somebody else has changed it meanwhile.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams};
use onceway::incident::{Counted, Submission, SubmitError};
use onceway::rr::{Deduplication, RemediationRequest};
use serde_json::json;
use tokio::time::sleep;

use super::{Algorithm, is_conflict, pauses, refused};

/// How often a count is tried.
const TRIES: usize = 4;
/// The first pause after a conflict.
const BACKOFF: Duration = Duration::from_millis(10);
/// By what the next pause is longer.
const FACTOR: u32 = 5;

impl Algorithm {
    pub(super) async fn count(
        &self,
        mut rr: RemediationRequest,
        submission: &Submission,
        created: bool,
    ) -> Result<Counted, SubmitError> {
        let name = rr.metadata.name.clone().unwrap_or_default();
        let mut pauses = pauses(TRIES, BACKOFF, FACTOR, Duration::MAX);
        loop {
            let seen = seen_once_more(&rr, submission);
            let patch = json!({
                // The compare-and-swap of an update, without the fields that this program does not know.
                "metadata": { "resourceVersion": rr.metadata.resource_version, "uid": rr.metadata.uid },
                "status": { "deduplication": seen },
            });
            match self.rrs.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
                Ok(_) => return Ok(self.counted(name, &seen, created)),
                Err(error) if !is_conflict(&error) => return Err(refused(error)),
                Err(_) => {}
            }
            let Some(pause) = pauses.next() else {
                return Err(SubmitError::Unresolved { cause: format!("{name} was changed by others {TRIES} times") });
            };
            sleep(pause).await;
            rr = self.rrs.get(&name).await.map_err(refused)?;
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
    }
}
