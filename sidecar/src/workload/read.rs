//! What is read of an object, and the interface to who reads it.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use serde::Deserialize;

use super::kinds::{self, Kind};
use crate::rr::TargetResource;

/// An object that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its namespace; `None` if the kind has none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// The object of this kind and name; `None` if such objects are not read, or this is no name of one.
    pub fn new(kind: &str, api_version: Option<&str>, namespace: Option<&str>, name: &str) -> Option<Self> {
        let kind = kinds::find(kind, api_version)?;
        let namespace = namespace.filter(|_| kind.namespaced).map(str::to_owned);
        let is_complete = namespace.is_some() == kind.namespaced;
        let is_safe = is_path_segment(name) && namespace.as_deref().is_none_or(is_path_segment);
        (is_complete && is_safe).then(|| Self { kind, namespace, name: name.to_owned() })
    }

    pub(super) fn of(target: &TargetResource) -> Option<Self> {
        Self::new(&target.kind, target.api_version.as_deref(), target.namespace.as_deref(), &target.name)
    }

    /// The path of its kind's objects, without its name.
    pub fn path(&self) -> Option<String> {
        self.kind.path(self.namespace.as_deref())
    }

    /// As an RR names it.
    pub(super) fn target(&self) -> TargetResource {
        TargetResource {
            kind: self.kind.kind.to_owned(),
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            api_version: Some(self.kind.api_version()),
        }
    }
}

/// Names of these kinds are DNS names; whatever else a signal may hold goes into no path.
fn is_path_segment(name: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    name.bytes().all(is_inner) && name.bytes().any(|byte| byte != b'.')
}

/// A controller, as a reference names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its API version.
    pub api_version: Option<String>,
}

impl Controller {
    pub(super) fn is_cluster_scoped(&self) -> bool {
        kinds::is_cluster_scoped(&self.kind, self.api_version.as_deref())
    }
}

/// The metadata that is used of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Its controller.
    pub controller: Option<Controller>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// Why an object was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// The sidecar has no right to read it.
    NoRight,
    /// The API server gave no definite answer, and why.
    Failed(String),
}

/// Reads objects' metadata.
pub trait ReadMetadata: Send + Sync + 'static {
    /// The metadata of `object`; `None` if it does not exist.
    ///
    /// # Errors
    /// [`Unread`] if that is not known.
    fn read<'a>(&'a self, object: &'a ObjectRef) -> BoxFuture<'a, Result<Option<Metadata>, Unread>>;
}

/// `PartialObjectMetadata`, as the API server sends it.
impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Fields,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields {
            #[serde(default)]
            labels: Option<BTreeMap<String, String>>,
            #[serde(default)]
            owner_references: Option<Vec<Reference>>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Reference {
            api_version: String,
            kind: String,
            name: String,
            controller: Option<bool>,
        }
        let Object { metadata } = Object::deserialize(deserializer)?;
        let mut references = metadata.owner_references.unwrap_or_default().into_iter();
        let controller = references.find(|reference| reference.controller == Some(true));
        let controller = controller.map(|Reference { api_version, kind, name, .. }| Controller {
            kind,
            name,
            api_version: Some(api_version),
        });
        Ok(Self { controller, labels: metadata.labels.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Controller, Metadata, ObjectRef};

    #[test]
    fn the_controller_is_the_owner_that_says_so() {
        let metadata: Metadata = serde_json::from_value(json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": {"name": "p", "labels": {"a": "b"}, "managedFields": [{}], "ownerReferences": [
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "1"},
                {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "2", "controller": true},
            ]},
        }))
        .unwrap();
        let controller =
            Controller { kind: "ReplicaSet".into(), name: "r".into(), api_version: Some("apps/v1".into()) };
        assert_eq!((metadata.controller, metadata.labels["a"].as_str()), (Some(controller), "b"));
        let bare: Metadata = serde_json::from_value(json!({"metadata": {"name": "p"}})).unwrap();
        assert_eq!(bare, Metadata::default());
    }

    #[test]
    fn what_is_no_name_of_an_object_is_not_read() {
        let pod = |namespace, name| ObjectRef::new("Pod", None, namespace, name);
        assert!(pod(Some("prod"), "payment-api-0").is_some());
        for (namespace, name) in [
            (None, "p"),
            (Some("prod"), ""),
            (Some("prod"), ".."),
            (Some("prod"), "a/b"),
            (Some("prod"), "a%2f"),
            (Some("prod"), "a?x"),
            (Some("../x"), "p"),
            (Some(""), "p"),
            (Some("prod"), "é"),
        ] {
            assert_eq!(pod(namespace, name), None, "{namespace:?} {name}");
        }
        assert_eq!(ObjectRef::new("Queue", None, Some("prod"), "a"), None);
        assert_eq!(ObjectRef::new("Node", None, Some("prod"), "a").unwrap().namespace, None);
    }
}
