//! What an event says beside its object: labels and annotations under kubernaut's keys, as its gateway writes them. kubernaut's
//! controllers read the message there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use onceway_signal::truncate::truncate_bytes;
use serde::Deserialize;
use serde_json::Value;

/// The fields of an event. An event of events.k8s.io has them under other names. A value of another type counts as absent.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Event {
    #[serde(rename = "type")]
    type_: Value,
    #[serde(alias = "note")]
    message: Value,
    #[serde(alias = "deprecatedCount")]
    count: Value,
    #[serde(alias = "deprecatedSource")]
    source: Value,
    reporting_controller: Value,
    #[serde(alias = "deprecatedFirstTimestamp")]
    first_timestamp: Value,
    #[serde(alias = "deprecatedLastTimestamp")]
    last_timestamp: Value,
    #[serde(alias = "regarding")]
    involved_object: Value,
}

/// Labels and annotations of an RR.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EventFields {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

impl EventFields {
    /// Reads an event, with values of at most `max_bytes`. One that cannot be read has no fields: they do not affect the
    /// identity.
    pub(super) fn read(event: &str, max_bytes: usize) -> Self {
        let event: Event = serde_json::from_str(event).unwrap_or_default();
        let component = text(&event.source["component"]).or_else(|| text(&event.reporting_controller));
        let count = event.count.as_u64().filter(|count| *count > 0).map(|count| count.to_string());
        Self {
            labels: present(
                max_bytes,
                [
                    ("kubernaut.ai/event-source", component),
                    ("kubernaut.ai/event-type", text(&event.type_).map(|text| text.to_lowercase())),
                    (
                        "kubernaut.ai/resource-kind",
                        text(&event.involved_object["kind"]).map(|text| text.to_lowercase()),
                    ),
                ],
            ),
            annotations: present(
                max_bytes,
                [
                    ("kubernaut.ai/event-message", text(&event.message)),
                    ("kubernaut.ai/event-count", count),
                    ("kubernaut.ai/source-host", text(&event.source["host"])),
                    ("kubernaut.ai/first-timestamp", time(&event.first_timestamp)),
                    ("kubernaut.ai/last-timestamp", time(&event.last_timestamp)),
                ],
            ),
        }
    }
}

/// The pairs that have a value, truncated.
fn present<const N: usize>(max_bytes: usize, pairs: [(&str, Option<String>); N]) -> BTreeMap<String, String> {
    let truncated = |value: String| truncate_bytes(&value, max_bytes).to_owned();
    pairs.into_iter().filter_map(|(key, value)| Some((key.to_owned(), truncated(value?)))).collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// In whole seconds, as Go's types write it.
fn time(value: &Value) -> Option<String> {
    let time: Timestamp = value.as_str()?.parse().ok()?;
    (time > Timestamp::UNIX_EPOCH).then(|| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::EventFields;

    fn pairs(fields: &EventFields) -> Vec<(&str, &str)> {
        fields.labels.iter().chain(&fields.annotations).map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    #[test]
    fn an_events_message_count_source_and_times_are_kept_under_kubernauts_keys() {
        let event = json!({
            "type": "Warning", "message": "Back-off restarting failed container", "count": 7,
            "source": {"component": "kubelet", "host": "worker-1"},
            "firstTimestamp": "2026-03-01T10:00:00Z", "lastTimestamp": "2026-03-01T12:00:00+01:00",
            "involvedObject": {"kind": "Pod"},
        });
        let expected = [
            ("kubernaut.ai/event-source", "kubelet"),
            ("kubernaut.ai/event-type", "warning"),
            ("kubernaut.ai/resource-kind", "pod"),
            ("kubernaut.ai/event-count", "7"),
            ("kubernaut.ai/event-message", "Back-off restarting failed container"),
            ("kubernaut.ai/first-timestamp", "2026-03-01T10:00:00Z"),
            ("kubernaut.ai/last-timestamp", "2026-03-01T11:00:00Z"),
            ("kubernaut.ai/source-host", "worker-1"),
        ];
        assert_eq!(pairs(&EventFields::read(&event.to_string(), 100)), expected);
    }

    #[test]
    fn an_event_of_the_newer_api_has_the_same_fields() {
        let event = json!({
            "type": "Warning", "note": "Readiness probe failed", "deprecatedCount": 2,
            "reportingController": "kubelet", "regarding": {"kind": "Pod"},
        });
        let expected = [
            ("kubernaut.ai/event-source", "kubelet"),
            ("kubernaut.ai/event-type", "warning"),
            ("kubernaut.ai/resource-kind", "pod"),
            ("kubernaut.ai/event-count", "2"),
            ("kubernaut.ai/event-message", "Readiness probe failed"),
        ];
        assert_eq!(pairs(&EventFields::read(&event.to_string(), 100)), expected);
    }

    #[test]
    fn what_is_absent_empty_zero_or_of_another_type_is_left_out() {
        let event = json!({
            "type": "", "message": {}, "count": 0, "source": "kubelet", "firstTimestamp": null,
            "lastTimestamp": "0001-01-01T00:00:00Z", "involvedObject": [],
        });
        for event in [event.to_string(), "{}".into(), "no JSON".into(), r#"{"message": "a", "message": "b"}"#.into()] {
            assert_eq!(EventFields::read(&event, 100), EventFields::default(), "{event}");
        }
    }

    #[test]
    fn a_long_message_is_truncated() {
        let event = json!({ "message": "\u{e9}".repeat(100) });
        let fields = EventFields::read(&event.to_string(), 11);
        assert_eq!(fields.annotations["kubernaut.ai/event-message"], "\u{e9}".repeat(5));
    }
}
