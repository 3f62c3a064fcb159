//! Objects as the API server sends them, and their paths.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use onceway_signal::Fingerprint;
use onceway_signal::rules::{Document, Resolve, Rules};
use serde_json::{Value, json};

use super::wire::Wire;
use crate::executor::{Executor, MetadataReader, Settings};
use crate::health::permissions::PermissionRecheck;
use crate::index::Index;
use crate::metrics::Metrics;
use crate::rr::RemediationRequestSpec;
use crate::workload::{self, ReadRights, Workloads};

pub(crate) const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/incidents/leases";
pub(crate) const RRS: &str = "/apis/kubernaut.ai/v1alpha1/namespaces/incidents/remediationrequests";
pub(crate) const EVENTS: &str = "/api/v1/namespaces/incidents/events";

const FINGERPRINT: &str = "91fce8d5c4949766458bd4bd58859a4fb2e8470ef64ef438c22903744799a9b1";

pub(crate) fn fingerprint() -> Fingerprint {
    FINGERPRINT.parse().unwrap()
}

/// The path of the fingerprint's claim.
pub(crate) fn claim_path() -> String {
    format!("{LEASES}/onceway-{FINGERPRINT}")
}

/// An RR that a sidecar created in this second of 2026, in this phase and with this count.
pub(crate) fn rr(name: &str, second: u32, phase: &str, count: u32) -> Value {
    json!({
        "apiVersion": "kubernaut.ai/v1alpha1",
        "kind": "RemediationRequest",
        "metadata": {
            "name": name, "uid": format!("uid-{name}"), "resourceVersion": "7",
            "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z"),
            "annotations": {"onceway.io/creator": "pod-a_1"},
        },
        "spec": {"signalFingerprint": FINGERPRINT, "originalPayload": "{}"},
        "status": {"overallPhase": phase, "deduplication": {"occurrenceCount": count}},
    })
}

/// The fingerprint's claim, last used in this second.
pub(crate) fn claim(intent: &str, created: bool, used: Timestamp, version: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": format!("onceway-{FINGERPRINT}"), "uid": "uid-claim", "resourceVersion": version,
            "annotations": {
                "onceway.io/intent": intent,
                "onceway.io/created": created.to_string(),
                "onceway.io/floor": used.as_second().to_string(),
            },
        },
        "spec": {"holderIdentity": "", "leaseDurationSeconds": 30, "leaseTransitions": 0},
    })
}

/// The spec of an RR about the pod `a`.
pub(crate) fn spec() -> RemediationRequestSpec {
    serde_json::from_value(json!({
        "signalFingerprint": "0".repeat(64), "signalName": "A", "severity": "critical", "signalType": "alert",
        "targetType": "kubernetes", "targetResource": {"kind": "Pod", "name": "a", "namespace": "prod"},
        "firingTime": "2026-03-01T10:00:00Z", "receivedTime": "2026-03-01T10:00:00Z",
    }))
    .unwrap()
}

/// A page of a list.
pub(crate) fn list<const N: usize>(items: [Value; N], next: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "7", "continue": next}, "items": items.to_vec() })
}

/// The deadline of the [`workloads`]' lookups.
pub(crate) const TARGET_TIMEOUT: Duration = Duration::from_millis(300);
/// The timeout of the [`executor`]'s calls.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// An executor over `wire` with at most `in_flight` calls in flight, which reads no workloads.
pub(crate) fn executor(wire: &Arc<Wire>, in_flight: usize, index: &Arc<Index>, metrics: &Arc<Metrics>) -> Executor {
    executor_with(wire, (in_flight, false), index, metrics, without_reads(wire, metrics))
}

/// What finds workloads without a read, over `wire`.
pub(crate) fn without_reads(wire: &Arc<Wire>, metrics: &Arc<Metrics>) -> Workloads {
    workloads(wire, Document { resolve: Resolve::Named, ..Document::default() }, metrics)
}

/// What finds workloads over `wire`, by these rules.
pub(crate) fn workloads(wire: &Arc<Wire>, document: Document, metrics: &Arc<Metrics>) -> Workloads {
    let resolution = Rules::compile(document).unwrap().resolution().clone();
    let rights = Arc::new(ReadRights::default());
    let reader =
        MetadataReader::new(wire.client(), CALL_TIMEOUT, rights, PermissionRecheck::default(), Arc::clone(metrics));
    let settings = workload::Settings { resolution, timeout: TARGET_TIMEOUT, label: None };
    Workloads::new(settings, Arc::new(reader), Arc::clone(metrics))
}

/// The same executor with `workloads`, and with `migration.kubernautLocks`, if `locks`.
pub(crate) fn executor_with(
    wire: &Arc<Wire>,
    (in_flight, locks): (usize, bool),
    index: &Arc<Index>,
    metrics: &Arc<Metrics>,
    workloads: Workloads,
) -> Executor {
    let settings = Settings {
        namespace: "incidents".into(),
        identity: "pod-a_1".into(),
        lease_duration: Duration::from_secs(30),
        max_calls_in_flight: in_flight,
        call_timeout: CALL_TIMEOUT,
        kubernaut_locks: locks,
    };
    let (index, metrics) = (Arc::clone(index), Arc::clone(metrics));
    Executor::new(wire.client(), settings, index, workloads, PermissionRecheck::default(), metrics)
}
