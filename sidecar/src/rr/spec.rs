//! Writes the spec of a new RR from the request's body.
//!
//! etcd rejects an object above 1.5 MiB, and a retry cannot help. Every part of the spec therefore has a limit, and the sum
//! stays below etcd's even with the worst JSON escaping (a test builds the worst case). Text truncated from a label or an
//! annotation is still in `originalPayload`, up to that field's limit. The identity (cluster, kind, name, namespace) is
//! never truncated: the decoder rejects longer ones, and limits the severity to the CRD's length.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use onceway_signal::rules::Rules;
use onceway_signal::truncate::truncate_bytes;
use onceway_signal::{Fingerprint, Labels, PartialPayload, Signal, Source};
use serde::Serialize;

use super::event_fields::EventFields;
use super::resource::{RemediationRequestSpec, SIGNAL_TYPE, TargetResource, TargetType};

/// Limit of `signalLabels`, keys and values together; labels that do not fit are left out.
const MAX_LABELS_BYTES: usize = 16 * 1024;
/// Limit of `signalAnnotations`, keys and values together; annotations that do not fit are left out.
const MAX_ANNOTATIONS_BYTES: usize = 32 * 1024;
/// Limit of the labels in `providerData`, keys and values together.
const MAX_PROVIDER_DATA_BYTES: usize = 8 * 1024;
/// The longest value of a label or an annotation; longer ones are truncated. What an event says of itself (eight values) comes on
/// top of the limits above.
const MAX_VALUE_BYTES: usize = 4 * 1024;
/// The value of a required field that the signal does not set.
const UNKNOWN: &str = "unknown";

/// The inputs of an RR's spec. The spec itself is built only if an RR is created: duplicates do not pay for it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The request's body. It has been decoded successfully before.
    pub body: Bytes,
    /// The incident's firing signals in the body; the first one describes the incident. Only these are decoded again for the
    /// spec, so that a webhook of many incidents is not decoded once per incident.
    pub part: PartialPayload,
    /// The target rules that it was decoded by.
    pub rules: Arc<Rules>,
    /// The incident.
    pub fingerprint: Fingerprint,
    /// When the request was received.
    pub received: Timestamp,
    /// Limit of `originalPayload` in bytes.
    pub max_payload_bytes: usize,
}

impl Draft {
    /// Builds the spec.
    pub fn spec(&self) -> RemediationRequestSpec {
        let mut spec = self.without_signal();
        let Some(payload) = self.part.decode(&self.rules, &self.body) else { return spec };
        let all: Vec<usize> = (0..payload.entries().len()).collect();
        spec.original_payload = Some(payload.excerpt(&all, Some(self.max_payload_bytes)));
        let event = match self.part.source() {
            Source::KubernetesEvent => EventFields::read(&payload.excerpt(&all, None), MAX_VALUE_BYTES),
            Source::Prometheus => EventFields::default(),
        };
        if let Some(Ok(signal)) = payload.entries().first().map(|entry| &entry.signal) {
            self.describe(&mut spec, signal, event);
        }
        spec
    }

    /// The fields that do not depend on the body. The body was decoded before, so the spec never stays like this; if it did, an
    /// RR with the fingerprint and an unknown target is better than none.
    fn without_signal(&self) -> RemediationRequestSpec {
        RemediationRequestSpec {
            signal_fingerprint: self.fingerprint.to_string(),
            signal_name: UNKNOWN.into(),
            severity: UNKNOWN.into(),
            signal_type: SIGNAL_TYPE.into(),
            signal_source: Some(self.part.source().as_str().into()),
            target_type: TargetType::Kubernetes,
            target_resource: TargetResource { kind: UNKNOWN.into(), name: UNKNOWN.into(), ..Default::default() },
            cluster_id: None,
            firing_time: Time(self.received),
            received_time: Time(self.received),
            signal_labels: BTreeMap::new(),
            signal_annotations: BTreeMap::new(),
            provider_data: None,
            original_payload: None,
        }
    }

    fn describe(&self, spec: &mut RemediationRequestSpec, signal: &Signal<'_>, event: EventFields) {
        let resource = &signal.resource;
        spec.signal_name = signal.name.to_string();
        spec.severity = signal.severity.to_string();
        // As the signal names it; who creates the RR puts the workload in its place.
        spec.target_resource = TargetResource::from(resource);
        spec.cluster_id = signal.cluster.as_deref().map(str::to_owned);
        spec.firing_time = Time(firing_time(signal.firing_time.as_deref()).unwrap_or(self.received));
        spec.signal_labels = bounded(&signal.labels, MAX_LABELS_BYTES);
        spec.signal_annotations = bounded(&signal.annotations, MAX_ANNOTATIONS_BYTES);
        spec.provider_data = provider_data(spec.target_resource.namespace.clone(), signal, &event);
        spec.signal_labels.extend(event.labels);
        spec.signal_annotations.extend(event.annotations);
    }
}

/// When the signal began to fire; `None` if that is not RFC 3339, and the time of receipt is used instead: a bad time does
/// not affect the identity, so it is no reason to reject the signal. Go's zero time counts as none: Kubernetes' Go types
/// write it back as null, which would change the immutable spec.
fn firing_time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}

/// As many of `pairs` as fit in `limit` bytes, with long values truncated.
fn bounded(pairs: &Labels<'_>, limit: usize) -> BTreeMap<String, String> {
    let mut left = limit;
    let mut kept = BTreeMap::new();
    for (key, value) in pairs.iter() {
        let value = truncate_bytes(&value, MAX_VALUE_BYTES);
        if let Some(rest) = left.checked_sub(key.len() + value.len()) {
            left = rest;
            kept.insert(key.into_owned(), value.to_owned());
        }
    }
    kept
}

fn provider_data(namespace: Option<String>, signal: &Signal<'_>, event: &EventFields) -> Option<String> {
    #[derive(Serialize)]
    struct ProviderData {
        namespace: String,
        labels: BTreeMap<String, String>,
    }
    let mut labels = bounded(&signal.labels, MAX_PROVIDER_DATA_BYTES);
    labels.extend(event.labels.clone());
    serde_json::to_string(&ProviderData { namespace: namespace.unwrap_or_default(), labels }).ok()
}

#[cfg(test)]
mod tests;
