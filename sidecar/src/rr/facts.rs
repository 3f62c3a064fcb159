//! What an RR says that matters to the claim protocol, and nothing else of it.

use jiff::Timestamp;
use kube::ResourceExt;
use onceway_signal::Fingerprint;

use super::RemediationRequest;

/// The outcome that keeps an incident closed until a human has looked at it.
const MANUAL_REVIEW: &str = "ManualReviewRequired";

/// Whether nothing more will happen to an RR in this phase. An empty or unknown phase is active: to take it for
/// terminal would open a second RR beside one that a newer controller is still working on.
pub fn is_terminal(phase: &str) -> bool {
    matches!(phase, "Completed" | "Failed" | "TimedOut" | "Skipped" | "Cancelled")
}

/// The few facts of an RR that decide what a signal of its incident does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `metadata.uid`; empty on an object that no API server has seen.
    pub uid: String,
    /// `metadata.resourceVersion`: what a compare-and-swap is made against.
    pub resource_version: String,
    /// The incident; `None` if the spec does not hold a fingerprint (only possible under a foreign CRD).
    pub fingerprint: Option<Fingerprint>,
    /// `occurrenceCount`; 0 where it is absent or (nonsense) negative.
    pub count: u32,
    /// `firstSeenAt`.
    pub first_seen: Option<Timestamp>,
    /// `lastSeenAt`.
    pub last_seen: Option<Timestamp>,
    /// Whether its phase is terminal, or it is being deleted.
    pub terminal: bool,
    /// Whether it is being deleted; it then counts as terminal and suppresses nothing, for it will be gone.
    pub deleting: bool,
    /// Whether its outcome is `ManualReviewRequired`.
    pub manual_review: bool,
    /// `nextAllowedExecution`.
    pub next_allowed: Option<Timestamp>,
}

/// What a signal of an RR's incident does to that RR at a given moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The signal is a duplicate: count it.
    Active,
    /// Terminal, but the incident must not be opened again yet: count it.
    Blocked,
    /// Over: the signal opens the incident anew.
    Terminal,
}

impl Facts {
    /// What a signal does to this RR at `now`. A block runs out by itself, so the answer is not to be kept.
    pub fn standing(&self, now: Timestamp) -> Standing {
        if !self.terminal {
            return Standing::Active;
        }
        let ahead = self.next_allowed.is_some_and(|at| at > now);
        if !self.deleting && (self.manual_review || ahead) { Standing::Blocked } else { Standing::Terminal }
    }
}

/// Extracts the [`Facts`] of `rr`.
pub fn facts(rr: &RemediationRequest) -> Facts {
    let status = rr.status.as_ref();
    let seen = status.and_then(|s| s.deduplication.as_ref());
    let deleting = rr.metadata.deletion_timestamp.is_some();
    let phase = status.and_then(|s| s.overall_phase.as_deref()).unwrap_or_default();
    let outcome = status.and_then(|s| s.completion_status.as_ref()).and_then(|c| c.outcome.as_deref());
    Facts {
        uid: rr.uid().unwrap_or_default(),
        resource_version: rr.resource_version().unwrap_or_default(),
        fingerprint: rr.spec.signal_fingerprint.parse().ok(),
        count: seen.and_then(|s| s.occurrence_count).and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        first_seen: seen.and_then(|s| s.first_seen_at.as_ref()).map(|t| t.0),
        last_seen: seen.and_then(|s| s.last_seen_at.as_ref()).map(|t| t.0),
        terminal: deleting || is_terminal(phase),
        deleting,
        manual_review: outcome == Some(MANUAL_REVIEW),
        next_allowed: status
            .and_then(|s| s.routing_status.as_ref())
            .and_then(|r| r.next_allowed_execution.as_ref())
            .map(|t| t.0),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::{Standing, facts};
    use crate::rr::RemediationRequest;

    const FINGERPRINT: &str = "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1";

    fn rr(status: Value) -> RemediationRequest {
        serde_json::from_value(json!({
            "apiVersion": "kubernaut.ai/v1alpha1", "kind": "RemediationRequest",
            "metadata": {"name": "rr-1", "uid": "u-1", "resourceVersion": "7"},
            "spec": {"signalFingerprint": FINGERPRINT, "signalName": "A", "severity": "critical", "signalType": "alert",
                "targetType": "kubernetes", "targetResource": {"kind": "Pod", "name": "p"},
                "firingTime": "2026-03-01T10:00:00Z", "receivedTime": "2026-03-01T10:00:00Z"},
            "status": status,
        }))
        .unwrap()
    }

    fn standing(status: Value) -> Standing {
        facts(&rr(status)).standing("2026-03-01T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn each_phase_is_terminal_or_active() {
        for phase in ["Completed", "Failed", "TimedOut", "Skipped", "Cancelled"] {
            assert_eq!(standing(json!({"overallPhase": phase})), Standing::Terminal, "{phase}");
        }
        let active =
            ["Pending", "Processing", "Analyzing", "AwaitingApproval", "Executing", "Verifying", "Blocked", "", "New"];
        for phase in active {
            assert_eq!(standing(json!({"overallPhase": phase})), Standing::Active, "{phase}");
        }
        assert_eq!(standing(Value::Null), Standing::Active);
    }

    #[test]
    fn a_terminal_rr_blocks_while_it_awaits_a_human_or_its_time() {
        let failed = |more: Value| {
            let mut status = json!({"overallPhase": "Failed"});
            status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            standing(status)
        };
        assert_eq!(failed(json!({"completionStatus": {"outcome": "ManualReviewRequired"}})), Standing::Blocked);
        assert_eq!(failed(json!({"completionStatus": {"outcome": "Remediated"}})), Standing::Terminal);
        let next = |at: &str| failed(json!({"routingStatus": {"nextAllowedExecution": at}}));
        assert_eq!(next("2026-03-01T12:00:01Z"), Standing::Blocked);
        assert_eq!(next("2026-03-01T12:00:00Z"), Standing::Terminal);
    }

    #[test]
    fn an_rr_that_is_being_deleted_is_terminal_and_blocks_nothing() {
        let mut rr = rr(json!({"completionStatus": {"outcome": "ManualReviewRequired"}}));
        let now = "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap();
        rr.metadata.deletion_timestamp = Some(now.into());
        assert_eq!(facts(&rr).standing(now), Standing::Terminal);
    }

    #[test]
    fn the_count_and_its_times_are_read() {
        let seen =
            json!({"firstSeenAt": "2026-03-01T10:00:00Z", "lastSeenAt": "2026-03-01T11:00:00Z", "occurrenceCount": 4});
        let facts = facts(&rr(json!({"deduplication": seen, "other": {"kept": true}})));
        assert_eq!((facts.uid.as_str(), facts.resource_version.as_str(), facts.count), ("u-1", "7", 4));
        assert_eq!(facts.fingerprint.unwrap().to_string(), FINGERPRINT);
        assert!(facts.first_seen < facts.last_seen);
    }

    #[test]
    fn an_absent_or_negative_count_is_zero() {
        assert_eq!(facts(&rr(Value::Null)).count, 0);
        assert_eq!(facts(&rr(json!({"deduplication": {"occurrenceCount": -1}}))).count, 0);
    }

    #[test]
    fn a_spec_without_a_fingerprint_belongs_to_no_incident() {
        let mut rr = rr(Value::Null);
        rr.spec.signal_fingerprint = "payment".into();
        assert_eq!(facts(&rr).fingerprint, None);
    }
}
