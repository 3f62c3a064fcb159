//! One alert of a webhook as a signal.

use std::borrow::Cow;
use std::fmt::{Formatter, Result as FmtResult};

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::from_str;
use serde_json::value::RawValue;

use crate::error::Rejection;
use crate::json::{Object, Text, non_empty};
use crate::labels::Labels;
use crate::limits::{MAX_CLUSTER, MAX_NAME, MAX_NAMESPACE, MAX_SIGNAL_NAME};
use crate::signal::{Signal, State, severity, time};
use crate::target::table::{CLUSTER_SCOPE, TARGETS};
use crate::target::{NAMESPACE, Resource, bounded};

/// The fields of an alert that are read; other fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow)]
    starts_at: Option<Text<'a>>,
}

/// The fields of an alert, parsed but not yet evaluated.
#[derive(Default)]
pub(super) struct AlertFields<'a> {
    pub(super) status: Member<Text<'a>>,
    pub(super) labels: Member<&'a str>,
    /// The labels that are read.
    pub(super) known: KnownLabels<'a>,
    pub(super) annotations: Member<&'a str>,
    pub(super) starts_at: Member<Text<'a>>,
}

/// Outer: whether the member exists; inner: whether it is not null.
pub(super) type Member<T> = Option<Option<T>>;

/// One alert of a webhook as a signal; `group` is the state of the webhook, which applies to an alert without its own.
pub(crate) fn signal(alert: &str, group: State) -> Result<Signal<'_>, Rejection> {
    let Object(alert): Object<Alert<'_>> =
        from_str(alert).map_err(|error| Rejection::malformed("the alert", &error))?;
    let labels = alert.labels.map(RawValue::get);
    let known = from_str(labels.unwrap_or("{}")).map_err(|error| Rejection::malformed("`labels`", &error))?;
    let fields = AlertFields {
        status: Some(alert.status),
        labels: Some(labels),
        known,
        annotations: Some(alert.annotations.map(RawValue::get)),
        starts_at: Some(alert.starts_at),
    };
    fields.signal(group)
}

impl<'a> AlertFields<'a> {
    pub(super) fn signal(self, group: State) -> Result<Signal<'a>, Rejection> {
        let mut known = self.known;
        let name = non_empty(known.alertname.take()).ok_or(Rejection::Missing { field: "labels.alertname" })?;
        let name = bounded("labels.alertname", name, MAX_SIGNAL_NAME)?;
        let cluster = non_empty(known.cluster.take());
        let cluster = cluster.map(|cluster| bounded("labels.cluster", cluster, MAX_CLUSTER)).transpose()?;
        let severity = severity(non_empty(known.severity.take()));
        let resource = known.resource(&name)?;
        let target = resource.target();
        target.unambiguous(cluster.as_deref())?;
        Ok(Signal {
            state: non_empty(self.status.flatten()).map_or(group, |status| state(&status)),
            name,
            severity,
            firing_time: time(self.starts_at.flatten()),
            cluster,
            resource,
            target,
            labels: Labels::new(self.labels.flatten()),
            annotations: Labels::new(self.annotations.flatten()),
        })
    }
}

/// Only `resolved` means that there is nothing to do. For an unknown status, a needless incident is safer than a missed
/// one.
pub(super) fn state(status: &str) -> State {
    if status == "resolved" { State::Resolved } else { State::Firing }
}

/// The labels that are read.
#[derive(Default)]
pub(super) struct KnownLabels<'a> {
    alertname: Option<Text<'a>>,
    severity: Option<Text<'a>>,
    cluster: Option<Text<'a>>,
    exported_namespace: Option<Text<'a>>,
    namespace: Option<Text<'a>>,
    /// One for each rule of [`TARGETS`].
    targets: [Option<Text<'a>>; TARGETS.len()],
}

impl<'a> KnownLabels<'a> {
    pub(super) fn slot(&mut self, label: &str) -> Option<&mut Option<Text<'a>>> {
        match label {
            "alertname" => Some(&mut self.alertname),
            "severity" => Some(&mut self.severity),
            "cluster" => Some(&mut self.cluster),
            "exported_namespace" => Some(&mut self.exported_namespace),
            "namespace" => Some(&mut self.namespace),
            _ => TARGETS.iter().zip(&mut self.targets).find(|(rule, _)| rule.label == label).map(|(_, slot)| slot),
        }
    }

    /// The object that the labels name: the first of [`TARGETS`] that is present, else the namespace, else the alert
    /// itself.
    fn resource(self, alertname: &Cow<'a, str>) -> Result<Resource<'a>, Rejection> {
        let (field, namespace) = match non_empty(self.exported_namespace) {
            Some(namespace) => ("labels.exported_namespace", Some(namespace)),
            None => ("labels.namespace", non_empty(self.namespace)),
        };
        let named = TARGETS.iter().zip(self.targets).find_map(|(rule, slot)| Some((rule, non_empty(slot)?)));
        let (kind, name, namespace) = match (named, namespace) {
            (Some((rule, name)), namespace) => {
                (rule.kind, bounded(format_args!("labels.{}", rule.label), name, MAX_NAME)?, namespace)
            }
            (None, Some(namespace)) => (NAMESPACE, bounded(field, namespace, MAX_NAMESPACE)?, None),
            (None, None) => (CLUSTER_SCOPE, alertname.clone(), None),
        };
        Resource { kind: Cow::Borrowed(kind), name, namespace, api_version: None }.scoped(field)
    }
}

impl<'de> Deserialize<'de> for KnownLabels<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KnownLabelsVisitor)
    }
}

struct KnownLabelsVisitor;

impl<'de> Visitor<'de> for KnownLabelsVisitor {
    type Value = KnownLabels<'de>;

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("an object of labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KnownLabels<'de>, A::Error> {
        let mut known = KnownLabels::default();
        while let Some(Text(label)) = map.next_key()? {
            let value = map.next_value().map_err(|error| A::Error::custom(format_args!("label `{label}`: {error}")))?;
            if let Some(slot) = known.slot(&label)
                && slot.replace(value).is_some()
            {
                return Err(A::Error::custom(format_args!("duplicate label `{label}`")));
            }
        }
        Ok(known)
    }
}
