//! What is to be explained: a body as a sender sends it, or amtool's list of alerts, which is made into a webhook.

use std::borrow::Cow;

use jiff::Timestamp;
use onceway_signal::Source;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// One input.
pub(crate) struct Input<'a> {
    pub(crate) source: Source,
    pub(crate) body: Cow<'a, [u8]>,
    /// The alerts that Alertmanager does not send, because a silence or an inhibition suppresses them.
    pub(crate) suppressed: Vec<bool>,
}

/// An alert as Alertmanager's API, and so amtool, writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedAlert<'a> {
    #[serde(borrow)]
    labels: &'a RawValue,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
    starts_at: Option<String>,
    ends_at: Option<String>,
    status: Option<ListedStatus>,
}

#[derive(Deserialize)]
struct ListedStatus {
    state: String,
}

impl<'a> Input<'a> {
    /// The input in `text`; `source` says what it is, if that is known. A listed alert that ended by `now` is resolved.
    pub(crate) fn parse(text: &'a [u8], source: Option<Source>, now: Timestamp) -> Result<Self, String> {
        let is_list = text.trim_ascii_start().first() == Some(&b'[');
        if is_list && source != Some(Source::KubernetesEvent) {
            return listed(text, now);
        }
        let source = source.unwrap_or_else(|| recognise(text));
        Ok(Self { source, body: Cow::Borrowed(text), suppressed: Vec::new() })
    }
}

/// An object with the key of an event's object is an event; anything else is read as a webhook, whose errors say what was
/// seen.
fn recognise(text: &[u8]) -> Source {
    let object: Map<String, Value> = serde_json::from_slice(text).unwrap_or_default();
    let is_event = !object.contains_key("alerts")
        && ["involvedObject", "regarding", "object", "items", "eventmeta"].iter().any(|key| object.contains_key(*key));
    if is_event { Source::KubernetesEvent } else { Source::Prometheus }
}

/// The webhook of the alerts that amtool lists.
fn listed(text: &[u8], now: Timestamp) -> Result<Input<'static>, String> {
    let alerts: Vec<ListedAlert<'_>> = serde_json::from_slice(text)
        .map_err(|error| format!("a list, but not of alerts as `amtool alert query -o json` writes them: {error}"))?;
    let is_over = |time: &Option<String>| {
        let time: Option<Timestamp> = time.as_deref().and_then(|time| time.parse().ok());
        time.is_some_and(|time| time > Timestamp::UNIX_EPOCH && time <= now)
    };
    let webhook = |alert: &ListedAlert<'_>| {
        let status = if is_over(&alert.ends_at) { "resolved" } else { "firing" };
        json!({ "status": status, "labels": alert.labels, "annotations": alert.annotations, "startsAt": alert.starts_at })
    };
    let body = json!({ "alerts": alerts.iter().map(webhook).collect::<Vec<_>>() });
    let suppressed =
        alerts.iter().map(|alert| alert.status.as_ref().is_some_and(|status| status.state == "suppressed"));
    Ok(Input {
        source: Source::Prometheus,
        body: Cow::Owned(body.to_string().into()),
        suppressed: suppressed.collect(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::Input;

    #[test]
    fn a_listed_alert_is_resolved_once_its_end_has_come() {
        let list = json!([{ "labels": { "alertname": "A" }, "endsAt": "2026-03-01T11:00:00Z" }]).to_string();
        for (now, status) in [("2026-03-01T10:59:59Z", "firing"), ("2026-03-01T11:00:00Z", "resolved")] {
            let now: Timestamp = now.parse().unwrap();
            let input = Input::parse(list.as_bytes(), None, now).unwrap();
            let body = String::from_utf8(input.body.into_owned()).unwrap();
            assert!(body.contains(&format!("\"status\":\"{status}\"")), "{body}");
        }
    }
}
