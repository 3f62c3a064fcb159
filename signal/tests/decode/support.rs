//! Payloads as Alertmanager and Kubernetes write them, and shortcuts to what they decode to.

use onceway_signal::rules::Rules;
use onceway_signal::{DecodeError, Entry, Fingerprint, Origin, Payload, Rejection, Signal, Source};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// An alert with these labels, as Alertmanager writes it.
pub(crate) fn alert(labels: Value) -> Value {
    json!({
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "something is wrong"},
        "startsAt": "2026-08-01T10:00:00.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph?g0.expr=up",
        "fingerprint": "c9b3d1f6a0e4b7d2"
    })
}

/// A webhook with these alerts, as Alertmanager writes it.
pub(crate) fn webhook(alerts: &[Value]) -> String {
    json!({
        "receiver": "onceway",
        "status": "firing",
        "alerts": alerts,
        "groupLabels": {"alertname": "GroupLabelsAreNotRead", "deployment": "no"},
        "commonLabels": {"namespace": "no"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "version": "4",
        "groupKey": "{}:{alertname=\"X\"}",
        "truncatedAlerts": 0
    })
    .to_string()
}

/// A webhook of one alert with these labels.
pub(crate) fn webhook_of(labels: Value) -> String {
    webhook(&[alert(labels)])
}

/// A warning about this object, as the API server writes it.
pub(crate) fn event(involved_object: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "x.17", "namespace": "default", "managedFields": [{"manager": "kubelet"}]},
        "involvedObject": involved_object,
        "reason": "BackOff",
        "message": "Back-off restarting failed container",
        "source": {"component": "kubelet"},
        "firstTimestamp": "2026-08-01T09:00:00Z",
        "lastTimestamp": "2026-08-01T10:00:00Z",
        "count": 7,
        "type": "Warning",
        "eventTime": null,
        "reportingComponent": "kubelet",
        "reportingInstance": "worker-1"
    })
}

/// Decodes a body by the built-in rules.
pub(crate) fn decode(source: Source, body: &[u8]) -> Result<Payload<'_>, DecodeError> {
    onceway_signal::decode(Rules::built_in(), Origin::of(source), body)
}

pub(crate) fn decode_webhook(body: &str) -> Payload<'_> {
    decode(Source::Prometheus, body.as_bytes()).expect("a webhook")
}

pub(crate) fn decode_event(body: &str) -> Payload<'_> {
    decode(Source::KubernetesEvent, body.as_bytes()).expect("an event")
}

/// The only entry of a payload.
pub(crate) fn only<'a>(payload: &Payload<'a>) -> Entry<'a> {
    let [entry] = payload.entries() else { panic!("{} entries", payload.entries().len()) };
    entry.clone()
}

/// The signal of a webhook with one alert.
pub(crate) fn signal_of(body: &str) -> Signal<'_> {
    only(&decode_webhook(body)).signal.expect("a signal")
}

/// The rejection of a webhook's one alert.
pub(crate) fn rejection_of(body: &str) -> Rejection {
    only(&decode_webhook(body)).signal.expect_err("a rejection")
}

/// The text that is hashed for an alert with these labels.
pub(crate) fn target_of(labels: Value) -> String {
    let body = webhook_of(labels);
    let signal = signal_of(&body);
    let text = identity(&signal);
    assert_eq!(signal.fingerprint(), sha256(&text));
    text
}

/// The text that is hashed for a signal, composed from its public fields.
pub(crate) fn identity(signal: &Signal<'_>) -> String {
    let cluster = signal.cluster.as_ref().map(|cluster| format!("{cluster}:")).unwrap_or_default();
    format!("{cluster}{}", signal.target)
}

/// The digest of a text, computed by the library.
pub(crate) fn sha256(text: &str) -> Fingerprint {
    let hex: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().expect("64 hex characters")
}
