//! A Kubernetes Event (core/v1 or events.k8s.io/v1) as a signal.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Error as JsonError, from_str};

use crate::error::Rejection;
use crate::json::{Object, Text, non_empty};
use crate::labels::Labels;
use crate::limits::{MAX_CLUSTER, MAX_KIND, MAX_NAME, MAX_NAMESPACE, MAX_SIGNAL_NAME};
use crate::rules::RuleId;
use crate::signal::{Signal, State, severity, time};
use crate::target::{Grammar, Resource, bounded, is_api_kind};
use crate::truncate::truncate_quoted;

/// The reasons that Kubernetes writes with the type Normal, though the node needs a repair.
const NORMAL_BUT_BAD: [&str; 4] =
    ["NodeNotReady", "NodeHasDiskPressure", "NodeHasInsufficientMemory", "NodeHasInsufficientPID"];

/// The reason of the Warning on each pod of a node that is lost: an echo of the node's own event.
const ECHO: &str = "NodeNotReady";

/// The kinds whose objects stand for their owner.
const OWNED: [&str; 4] = ["Pod", "Job", "ReplicaSet", "ReplicationController"];

/// The fields of an event that are read; other fields are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event<'a> {
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    /// The object, in core/v1.
    #[serde(borrow)]
    involved_object: Option<&'a RawValue>,
    /// The object, in events.k8s.io/v1.
    #[serde(borrow)]
    regarding: Option<&'a RawValue>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow, rename = "type")]
    type_: Option<Text<'a>>,
    /// Of an event that recurs: how often, and when it did last.
    #[serde(borrow)]
    series: Option<&'a RawValue>,
    #[serde(borrow)]
    last_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    deprecated_last_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    event_time: Option<Text<'a>>,
    #[serde(borrow)]
    first_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    deprecated_first_timestamp: Option<Text<'a>>,
    /// Added by exporters of events.
    #[serde(borrow)]
    cluster_name: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Series<'a> {
    #[serde(borrow)]
    last_observed_time: Option<Text<'a>>,
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
    /// Added by exporters of events.
    #[serde(borrow, default)]
    owner_references: Option<Vec<Object<OwnerReference<'a>>>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OwnerReference<'a> {
    #[serde(borrow)]
    api_version: Option<Text<'a>>,
    #[serde(borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    controller: Option<bool>,
}

impl<'a> Event<'a> {
    pub(crate) fn decode(body: &'a str) -> Result<Self, JsonError> {
        from_str(body).map(|Object(event)| event)
    }

    /// Whether it names an object, as every event does.
    pub(crate) fn has_object(&self) -> bool {
        self.involved_object.or(self.regarding).is_some()
    }

    /// The signal; `cluster` is that of an event that names none.
    pub(crate) fn signal(self, cluster: Option<&'a str>) -> Result<Signal<'a>, Rejection> {
        let name = non_empty(self.reason).ok_or(Rejection::Missing { field: "reason" })?;
        let name = bounded("reason", name, MAX_SIGNAL_NAME)?;
        let (json, fields) = match (self.involved_object, self.regarding) {
            (None, Some(regarding)) => (Some(regarding), &REGARDING),
            (involved, _) => (involved, &INVOLVED),
        };
        let reference: ObjectReference<'a> = object(fields.object, json)?;
        let (resource, owners) = reference.resource(fields)?;
        let owner = owner(&resource, owners);
        let target = owner.as_ref().unwrap_or(&resource).target();
        let cluster = non_empty(self.cluster_name).or(cluster.map(Cow::Borrowed));
        let cluster = cluster.map(|cluster| bounded("clusterName", cluster, MAX_CLUSTER)).transpose()?;
        target.unambiguous(cluster.as_deref())?;
        let metadata: Metadata<'a> = object("`metadata`", self.metadata)?;
        let type_ = non_empty(self.type_);
        // A time does not affect the identity, so a malformed series does not reject the event.
        let series: Series<'a> = object("`series`", self.series).unwrap_or_default();
        let times = [
            series.last_observed_time,
            self.last_timestamp,
            self.deprecated_last_timestamp,
            self.event_time,
            self.first_timestamp,
            self.deprecated_first_timestamp,
        ];
        Ok(Signal {
            state: state(type_.as_deref(), &name, &resource),
            name,
            severity: severity(type_),
            firing_time: times.into_iter().find_map(time),
            cluster,
            resource,
            target,
            owner,
            rule: RuleId::Object,
            labels: Labels::new(metadata.labels.map(RawValue::get)),
            annotations: Labels::new(metadata.annotations.map(RawValue::get)),
        })
    }
}

/// Whether an event reports something to repair.
fn state(type_: Option<&str>, reason: &str, resource: &Resource<'_>) -> State {
    let is_bad = match type_ {
        Some("Normal") => resource.kind == "Node" && NORMAL_BUT_BAD.contains(&reason),
        _ => !(resource.kind == "Pod" && reason == ECHO),
    };
    if is_bad { State::Firing } else { State::Resolved }
}

/// The paths of an object's fields within the event.
struct ReferenceFields {
    object: &'static str,
    kind: &'static str,
    name: &'static str,
    namespace: &'static str,
}

const INVOLVED: ReferenceFields = ReferenceFields {
    object: "`involvedObject`",
    kind: "involvedObject.kind",
    name: "involvedObject.name",
    namespace: "involvedObject.namespace",
};

const REGARDING: ReferenceFields = ReferenceFields {
    object: "`regarding`",
    kind: "regarding.kind",
    name: "regarding.name",
    namespace: "regarding.namespace",
};

impl<'a> ObjectReference<'a> {
    fn resource(self, fields: &ReferenceFields) -> Result<(Resource<'a>, Vec<Object<OwnerReference<'a>>>), Rejection> {
        let kind = non_empty(self.kind).ok_or(Rejection::Missing { field: fields.kind })?;
        let name = non_empty(self.name).ok_or(Rejection::Missing { field: fields.name })?;
        let resource = Resource {
            kind: bounded(fields.kind, kind, MAX_KIND)?,
            name: bounded(fields.name, name, MAX_NAME)?,
            namespace: non_empty(self.namespace),
            api_version: non_empty(self.api_version),
        };
        let mut resource = resource.without_needless_namespace();
        resource.namespace =
            resource.namespace.map(|namespace| bounded(fields.namespace, namespace, MAX_NAMESPACE)).transpose()?;
        check_syntax(&resource, fields)?;
        Ok((resource, self.owner_references.unwrap_or_default()))
    }
}

/// Rejects a reference that no object in the Kubernetes API can have.
fn check_syntax(resource: &Resource<'_>, fields: &ReferenceFields) -> Result<(), Rejection> {
    let syntax = |field, value: &str, rule| Err(Rejection::Syntax { field, value: quoted(value), rule });
    if !is_api_kind(&resource.kind) {
        return syntax(fields.kind, &resource.kind, "a kind has letters, digits and inner '-', a letter first");
    }
    let grammar = Grammar::of_object(&resource.kind, resource.is_core());
    if !grammar.accepts(&resource.name) {
        return syntax(fields.name, &resource.name, grammar.rule());
    }
    match &resource.namespace {
        Some(namespace) if !Grammar::Label.accepts(namespace) => {
            syntax(fields.namespace, namespace, Grammar::Label.rule())
        }
        _ => Ok(()),
    }
}

fn quoted(text: &str) -> String {
    truncate_quoted(text.as_bytes())
}

/// The controller of an object that stands for its owner. A static pod is owned by its node, and stays a pod.
fn owner<'a>(resource: &Resource<'a>, owners: Vec<Object<OwnerReference<'a>>>) -> Option<Resource<'a>> {
    if !OWNED.contains(&&*resource.kind) {
        return None;
    }
    let is_controller = |Object(owner): &Object<OwnerReference<'a>>| owner.controller == Some(true);
    let index = owners.iter().position(is_controller).unwrap_or(0);
    let Object(owner) = owners.into_iter().nth(index)?;
    let kind = bounded("ownerReferences.kind", non_empty(owner.kind)?, MAX_KIND).ok().filter(|kind| kind != "Node")?;
    let name = bounded("ownerReferences.name", non_empty(owner.name)?, MAX_NAME).ok()?;
    let owner =
        Resource { kind, name, namespace: resource.namespace.clone(), api_version: non_empty(owner.api_version) };
    let is_name = is_api_kind(&owner.kind) && Grammar::of_object(&owner.kind, owner.is_core()).accepts(&owner.name);
    is_name.then_some(owner)
}

/// An object in the event; the default if absent.
fn object<'a, T: Default + Deserialize<'a>>(name: &'static str, json: Option<&'a RawValue>) -> Result<T, Rejection> {
    let Some(json) = json else { return Ok(T::default()) };
    from_str(json.get()).map(|Object(object)| object).map_err(|error| Rejection::malformed(name, &error))
}
