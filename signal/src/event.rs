//! A core/v1 Event as a signal.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Error as JsonError, from_str};

use crate::error::Rejection;
use crate::json::{Object, Text, non_empty};
use crate::labels::Labels;
use crate::limits::{MAX_KIND, MAX_NAME, MAX_SIGNAL_NAME};
use crate::signal::{Signal, State, severity, time};
use crate::target::{Resource, bounded};

/// The fields of an event that are read; other fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    involved_object: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    type_: Option<Text<'a>>,
    #[serde(borrow)]
    last_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    event_time: Option<Text<'a>>,
    #[serde(borrow)]
    first_timestamp: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
    #[serde(borrow)]
    annotations: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectReference<'a> {
    #[serde(borrow)]
    api_version: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
}

impl<'a> Event<'a> {
    pub(crate) fn decode(body: &'a str) -> Result<Self, JsonError> {
        from_str(body).map(|Object(event)| event)
    }

    pub(crate) fn signal(self) -> Result<Signal<'a>, Rejection> {
        let name = non_empty(self.reason).ok_or(Rejection::Missing { field: "reason" })?;
        let name = bounded("reason", name, MAX_SIGNAL_NAME)?;
        let reference: ObjectReference<'a> = object("`involvedObject`", self.involved_object)?;
        let resource = reference.resource()?;
        let target = resource.target();
        target.unambiguous(None)?;
        let metadata: Metadata<'a> = object("`metadata`", self.metadata)?;
        let type_ = non_empty(self.type_);
        let times = [self.last_timestamp, self.event_time, self.first_timestamp];
        Ok(Signal {
            state: if type_.as_deref() == Some("Normal") { State::Resolved } else { State::Firing },
            name,
            severity: severity(type_),
            firing_time: times.into_iter().find_map(time),
            cluster: None,
            resource,
            target,
            labels: Labels::new(metadata.labels.map(RawValue::get)),
            annotations: Labels::new(metadata.annotations.map(RawValue::get)),
        })
    }
}

impl<'a> ObjectReference<'a> {
    fn resource(self) -> Result<Resource<'a>, Rejection> {
        let kind = non_empty(self.kind).ok_or(Rejection::Missing { field: "involvedObject.kind" })?;
        let name = non_empty(self.name).ok_or(Rejection::Missing { field: "involvedObject.name" })?;
        let resource = Resource {
            kind: bounded("involvedObject.kind", kind, MAX_KIND)?,
            name: bounded("involvedObject.name", name, MAX_NAME)?,
            namespace: non_empty(self.namespace),
            api_version: non_empty(self.api_version),
        };
        resource.scoped("involvedObject.namespace")
    }
}

/// An object in the event; the default if absent.
fn object<'a, T: Default + Deserialize<'a>>(name: &'static str, json: Option<&'a RawValue>) -> Result<T, Rejection> {
    let Some(json) = json else { return Ok(T::default()) };
    from_str(json.get()).map(|Object(object)| object).map_err(|error| Rejection::malformed(name, &error))
}
