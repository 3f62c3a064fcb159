//! One alert of a webhook as a signal.

use std::borrow::Cow;
use std::fmt::{Formatter, Result as FmtResult};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Deserializer as JsonDeserializer, from_str};

use crate::error::Rejection;
use crate::json::{Object, Text, non_empty};
use crate::labels::Labels;
use crate::limits::{MAX_CLUSTER, MAX_SIGNAL_NAME};
use crate::rules::{ALERT_NAME, ALERTNAME, CLUSTER, Decided, KnownLabels, Memo, Rules, SEVERITY};
use crate::signal::{Signal, State, severity, time};
use crate::target::bounded;

/// What an alert is read with.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) rules: &'a Rules,
    /// The cluster of an alert that names none, and whose webhook names none.
    pub(crate) cluster: Option<&'a str>,
}

/// What a webhook says of its alerts that do not say it themselves.
#[derive(Clone, Copy)]
pub(crate) struct Inherited<'i, 'a> {
    pub(crate) state: State,
    /// `commonLabels.cluster`, for alerts without a label `cluster`.
    pub(crate) cluster: Option<&'i Cow<'a, str>>,
}

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
    pub(super) annotations: Member<&'a str>,
    pub(super) starts_at: Member<Text<'a>>,
}

/// Outer: whether the member exists; inner: whether it is not null.
pub(super) type Member<T> = Option<Option<T>>;

/// One alert of a webhook as a signal.
pub(crate) fn signal<'a>(
    alert: &'a str,
    inherited: Inherited<'_, 'a>,
    context: Context<'a>,
) -> Result<Signal<'a>, Rejection> {
    let Object(alert): Object<Alert<'_>> =
        from_str(alert).map_err(|error| Rejection::malformed("the alert", &error))?;
    let labels = alert.labels.map(RawValue::get);
    let mut known = context.rules.known_labels();
    let mut json = JsonDeserializer::from_str(labels.unwrap_or("{}"));
    let read = LabelsSeed { known: &mut known, rules: context.rules }.deserialize(&mut json);
    read.and_then(|()| json.end()).map_err(|error| Rejection::malformed("`labels`", &error))?;
    let fields = AlertFields {
        status: Some(alert.status),
        labels: Some(labels),
        annotations: Some(alert.annotations.map(RawValue::get)),
        starts_at: Some(alert.starts_at),
    };
    fields.signal(&known, &mut Memo::default(), inherited, context)
}

impl<'a> AlertFields<'a> {
    /// The signal; `known` are the alert's labels that are read, `memo` is that of its webhook.
    pub(super) fn signal(
        self,
        known: &KnownLabels<'a>,
        memo: &mut Memo<'a>,
        inherited: Inherited<'_, 'a>,
        context: Context<'a>,
    ) -> Result<Signal<'a>, Rejection> {
        let name = known.get(ALERTNAME).or_else(|| known.get(ALERT_NAME)).cloned();
        let name = name.ok_or(Rejection::Missing { field: "labels.alertname" })?;
        let name = bounded("labels.alertname", name, MAX_SIGNAL_NAME)?;
        let severity = severity(known.get(SEVERITY).cloned());
        // Only an alert without a name has no target.
        let decided = context.rules.decide(known, memo).ok_or(Rejection::Missing { field: "labels.alertname" })?;
        let Decided { ignored, rule, resource, target, cluster } = decided;
        let state = match non_empty(self.status.flatten()).map_or(inherited.state, |status| state(&status)) {
            State::Firing if ignored => State::Ignored,
            state => state,
        };
        // An alert that has the label has an own cluster, even if its rule says that the label names something else.
        let common = inherited.cluster.filter(|_| known.get(CLUSTER).is_none());
        let (cluster, field) = match (cluster, common) {
            (None, Some(common)) => (Some(common.clone()), "commonLabels.cluster"),
            (cluster, _) => (cluster.or_else(|| context.cluster.map(Cow::Borrowed)), "labels.cluster"),
        };
        let cluster = cluster.map(|cluster| bounded(field, cluster, MAX_CLUSTER)).transpose()?;
        target.unambiguous(cluster.as_deref())?;
        Ok(Signal {
            state,
            name,
            severity,
            firing_time: time(self.starts_at.flatten()),
            cluster,
            resource,
            target,
            owner: None,
            rule,
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

/// Reads the known labels from JSON.
struct LabelsSeed<'k, 'a> {
    known: &'k mut KnownLabels<'a>,
    rules: &'k Rules,
}

impl<'a> DeserializeSeed<'a> for LabelsSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for LabelsSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut Formatter<'_>) -> FmtResult {
        f.write_str("an object of labels")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(label)) = map.next_key()? {
            let value = map.next_value().map_err(|error| A::Error::custom(format_args!("label `{label}`: {error}")))?;
            if let Some(known) = self.rules.label(&label)
                && self.known.add(known, value).is_none()
            {
                return Err(A::Error::custom(format_args!("duplicate label `{label}`")));
            }
        }
        Ok(())
    }
}
