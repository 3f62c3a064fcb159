//! Writes the spec of a new RR from the request's own bytes.
//!
//! etcd refuses an object above 1.5 MiB, for ever, so every part of the spec has a limit here, and their sum, at its
//! worst JSON escaping, stays below that (a test builds the worst case). What is cut off a label or an annotation is
//! still in `originalPayload` as far as that reaches; the identity (cluster, kind, name, namespace) is never cut: the
//! decoder has refused what is too long of it, and has cut the severity to what the CRD allows.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use onceway_signal::{Fingerprint, Labels, PartialPayload, Signal};
use serde::Serialize;

use super::{RemediationRequestSpec, SIGNAL_TYPE, TargetResource, TargetType};

/// The most that `signalLabels` holds, keys and values together; labels that do not fit are left out.
const MAX_LABELS_BYTES: usize = 16 * 1024;
/// The most that `signalAnnotations` holds, keys and values together; annotations that do not fit are left out.
const MAX_ANNOTATIONS_BYTES: usize = 32 * 1024;
/// The most that the labels in `providerData` hold, keys and values together.
const MAX_PROVIDER_DATA_BYTES: usize = 8 * 1024;
/// The longest value of a label or an annotation; the rest is cut off.
const MAX_VALUE_BYTES: usize = 4 * 1024;
/// The longest `targetResource.apiVersion`; one that is longer names no API and is left out.
const MAX_API_VERSION_BYTES: usize = 317;
/// Stands where a signal does not say.
const UNKNOWN: &str = "unknown";

/// All that is needed to write the spec of an RR, should one be created: a duplicate pays for no more than this.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The request's body, which was decoded before.
    pub body: Bytes,
    /// The incident's firing signals in it; the first one describes the incident. They alone are decoded again when the
    /// spec is written, so that a webhook of many incidents is not read once for each.
    pub part: PartialPayload,
    /// The incident.
    pub fingerprint: Fingerprint,
    /// When the request was received.
    pub received: Timestamp,
    /// The most that `originalPayload` holds, in bytes.
    pub max_payload_bytes: usize,
}

impl Draft {
    /// Writes the spec.
    pub fn spec(&self) -> RemediationRequestSpec {
        let mut spec = self.bare();
        let Some(payload) = self.part.decode(&self.body) else { return spec };
        let all: Vec<usize> = (0..payload.entries().len()).collect();
        spec.original_payload = Some(payload.excerpt(&all, Some(self.max_payload_bytes)));
        if let Some(Ok(signal)) = payload.entries().first().map(|entry| &entry.signal) {
            self.describe(&mut spec, signal);
        }
        spec
    }

    /// What holds whatever the body says. The body was decoded before, so this is never all there is; but if it were,
    /// an RR that names its incident and aims at nothing is better than none.
    fn bare(&self) -> RemediationRequestSpec {
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

    fn describe(&self, spec: &mut RemediationRequestSpec, signal: &Signal<'_>) {
        let resource = &signal.resource;
        let namespace = resource.namespace.as_deref().map(str::to_owned);
        let api_version = resource.api_version.as_deref().filter(|text| text.len() <= MAX_API_VERSION_BYTES);
        spec.signal_name = signal.name.to_string();
        spec.severity = signal.severity.to_string();
        spec.target_resource = TargetResource {
            kind: resource.kind.to_string(),
            name: resource.name.to_string(),
            namespace: namespace.clone(),
            api_version: api_version.map(str::to_owned),
        };
        spec.cluster_id = signal.cluster.as_deref().map(str::to_owned);
        spec.firing_time = Time(firing_time(signal.firing_time.as_deref()).unwrap_or(self.received));
        spec.signal_labels = bounded(&signal.labels, MAX_LABELS_BYTES);
        spec.signal_annotations = bounded(&signal.annotations, MAX_ANNOTATIONS_BYTES);
        spec.provider_data = provider_data(namespace, signal);
    }
}

/// When the signal began to fire, or `None` where it does not say so in RFC 3339. That is no fault of the signal's
/// identity, so the time of receipt serves instead and the incident is not refused. Go's zero time is no time either:
/// Kubernetes' Go types write it back as null, and the spec would no longer be what it was.
fn firing_time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok().filter(|time| *time > Timestamp::UNIX_EPOCH)
}

/// As many of `pairs` as fit in `limit` bytes, with long values cut.
fn bounded(pairs: &Labels<'_>, limit: usize) -> BTreeMap<String, String> {
    let mut left = limit;
    let mut kept = BTreeMap::new();
    for (key, value) in pairs.iter() {
        let value = cut(&value, MAX_VALUE_BYTES);
        if let Some(rest) = left.checked_sub(key.len() + value.len()) {
            left = rest;
            kept.insert(key.into_owned(), value.to_owned());
        }
    }
    kept
}

fn provider_data(namespace: Option<String>, signal: &Signal<'_>) -> Option<String> {
    #[derive(Serialize)]
    struct ProviderData {
        namespace: String,
        labels: BTreeMap<String, String>,
    }
    let labels = bounded(&signal.labels, MAX_PROVIDER_DATA_BYTES);
    serde_json::to_string(&ProviderData { namespace: namespace.unwrap_or_default(), labels }).ok()
}

/// `text`, no longer than `limit` bytes and ending between two characters.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests;
