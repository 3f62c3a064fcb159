//! The webhook around the alerts: one pass that finds each alert, and the other fields, as slices of the body.

use std::borrow::Cow;
use std::fmt::{Formatter, Result as FmtResult};

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Error as JsonError, from_str};

use super::alert::{Inherited, state};
use crate::json::{Object, Text, non_empty};
use crate::limits::MAX_ALERTS;
use crate::signal::State;

/// A webhook as slices of its body.
pub(crate) struct Webhook<'a> {
    /// Each alert, in the webhook's order.
    pub(crate) alerts: Vec<&'a RawValue>,
    /// The other fields.
    pub(crate) own: OwnFields<'a>,
}

/// The fields of a webhook other than its alerts, byte for byte: members of an object with the commas between them,
/// without the braces.
#[derive(Clone, Debug)]
pub(crate) struct OwnFields<'a> {
    /// Those before the alerts.
    pub(crate) before: &'a str,
    /// Those after the alerts.
    pub(crate) after: &'a str,
    /// The state of the whole group.
    pub(crate) state: State,
    /// `commonLabels.cluster`: the cluster of an alert that has no such label.
    pub(crate) cluster: Option<Cow<'a, str>>,
}

impl<'a> OwnFields<'a> {
    /// What its alerts inherit.
    pub(crate) fn inherited(&self) -> Inherited<'_, 'a> {
        Inherited { state: self.state, cluster: self.cluster.as_ref() }
    }

    /// No fields, for an event.
    pub(crate) const NONE: Self = Self { before: "", after: "", state: State::Firing, cluster: None };
}

impl<'a> Webhook<'a> {
    pub(crate) fn decode(body: &'a str) -> Result<Self, JsonError> {
        let members: Members<'a> = from_str(body)?;
        let Some(alerts) = members.alerts else { return Err(JsonError::missing_field("alerts")) };
        let state = non_empty(members.status.flatten()).map_or(State::Firing, |status| state(&status));
        let cluster = members.common_labels.flatten().and_then(|Object(labels)| non_empty(labels.cluster));
        Ok(Self { alerts: alerts.0, own: members.keys.own(body, state, cluster) })
    }
}

/// The first bytes of members of the object.
#[derive(Default)]
pub(super) struct Keys<'a> {
    first: Option<&'a str>,
    pub(super) alerts: Option<&'a str>,
    after_alerts: Option<&'a str>,
}

impl<'a> Keys<'a> {
    pub(super) fn add(&mut self, key: &'a str) {
        self.first.get_or_insert(key);
        if self.alerts.is_some() {
            self.after_alerts.get_or_insert(key);
        }
    }

    pub(super) fn own(&self, body: &'a str, state: State, cluster: Option<Cow<'a, str>>) -> OwnFields<'a> {
        let offset = |key: &str| key.as_ptr().addr().wrapping_sub(body.as_ptr().addr());
        let before = match (self.first, self.alerts) {
            (Some(first), Some(alerts)) => body.get(offset(first)..offset(alerts)).unwrap_or_default(),
            _ => "",
        };
        let after = self.after_alerts.and_then(|key| body.get(offset(key)..)).unwrap_or_default();
        OwnFields { before: without_end(before, ','), after: without_end(after, '}'), state, cluster }
    }
}

/// The text without its last punctuation mark and the white space around that.
fn without_end(text: &str, mark: char) -> &str {
    let text = text.trim_ascii_end();
    text.strip_suffix(mark).unwrap_or(text).trim_ascii_end()
}

/// What is read of `commonLabels`. Alertmanager puts there what all alerts have, so only other senders write a label there that
/// an alert lacks.
#[derive(Deserialize)]
struct CommonLabels<'a> {
    #[serde(borrow)]
    cluster: Option<Text<'a>>,
}

/// The members of the object.
#[derive(Default)]
struct Members<'a> {
    alerts: Option<Alerts<'a>>,
    /// Outer: whether the member exists; inner: whether it is not null.
    status: Option<Option<Text<'a>>>,
    common_labels: Option<Option<Object<CommonLabels<'a>>>>,
    keys: Keys<'a>,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        // A key as raw JSON is a slice of the body, and so has the position of its member.
        while let Some(key) = map.next_key::<&RawValue>()? {
            let Text(name) = from_str(key.get()).map_err(|_| A::Error::custom(format_args!("unreadable key {key}")))?;
            members.keys.add(key.get());
            match &*name {
                "alerts" => {
                    reject_duplicate(members.keys.alerts.replace(key.get()), "alerts")?;
                    members.alerts = map.next_value()?;
                }
                "status" => reject_duplicate(members.status.replace(map.next_value()?), "status")?,
                "commonLabels" => reject_duplicate(members.common_labels.replace(map.next_value()?), "commonLabels")?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(members)
    }
}

fn reject_duplicate<T, E: Error>(first: Option<T>, field: &'static str) -> Result<(), E> {
    if first.is_some() { Err(E::duplicate_field(field)) } else { Ok(()) }
}

/// The alerts as slices of the body.
struct Alerts<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Alerts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AlertsVisitor)
    }
}

struct AlertsVisitor;

impl<'de> Visitor<'de> for AlertsVisitor {
    type Value = Alerts<'de>;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("a list of alerts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Alerts<'de>, A::Error> {
        let mut alerts = Vec::new();
        while let Some(alert) = seq.next_element()? {
            if alerts.len() == MAX_ALERTS {
                return Err(A::Error::custom(format_args!(
                    "more than {MAX_ALERTS} alerts (lower max_alerts in Alertmanager)"
                )));
            }
            alerts.push(alert);
        }
        Ok(Alerts(alerts))
    }
}
