//! Objects of other controllers: a cluster without controllers has only those that a test creates.

use anyhow::{Context, Result};
use http::Request;
use serde_json::{Value, json};

use super::Namespace;

/// A workload, a pod or a Job. None of them runs.
#[derive(Clone, Debug)]
pub struct Object {
    api_version: String,
    kind: String,
    name: String,
    owner: Option<(String, String, String)>,
    labels: Value,
}

impl Object {
    /// Of this kind and name, without an owner and without labels.
    pub fn new(api_version: &str, kind: &str, name: &str) -> Self {
        let [api_version, kind, name] = [api_version, kind, name].map(str::to_owned);
        Self { api_version, kind, name, owner: None, labels: json!({}) }
    }

    /// A pod.
    pub fn pod(name: &str) -> Self {
        Self::new("v1", "Pod", name)
    }

    /// Controlled by the object of this API version, kind and name.
    #[must_use]
    pub fn of(self, api_version: &str, kind: &str, name: &str) -> Self {
        Self { owner: Some((api_version.to_owned(), kind.to_owned(), name.to_owned())), ..self }
    }

    /// With this label.
    #[must_use]
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels[key] = json!(value);
        self
    }

    /// The objects of a Deployment with one pod: Deployment, ReplicaSet, pod. Returns the pod's name, too.
    pub fn deployment(name: &str) -> ([Self; 3], String) {
        let (replica_set, pod) = (format!("{name}-7d4b9c6f8"), format!("{name}-7d4b9c6f8-x2k4z"));
        let objects = [
            Self::new("apps/v1", "Deployment", name),
            Self::new("apps/v1", "ReplicaSet", &replica_set).of("apps/v1", "Deployment", name),
            Self::pod(&pod).of("apps/v1", "ReplicaSet", &replica_set),
        ];
        (objects, pod)
    }

    /// The path of such objects.
    fn path(&self, namespace: &str) -> String {
        let root = if self.api_version.contains('/') { "apis" } else { "api" };
        let plural = format!("{}s", self.kind.to_ascii_lowercase());
        match self.kind.as_str() {
            "Node" => format!("/{root}/{}/{plural}", self.api_version),
            _ => format!("/{root}/{}/namespaces/{namespace}/{plural}", self.api_version),
        }
    }

    fn body(&self) -> Value {
        let owners: Vec<Value> = self
            .owner
            .iter()
            .map(|(api_version, kind, name)| {
                json!({ "apiVersion": api_version, "kind": kind, "name": name, "uid": name, "controller": true })
            })
            .collect();
        let mut body = json!({
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": { "name": self.name, "labels": self.labels, "ownerReferences": owners },
        });
        let containers = json!([{ "name": "app", "image": "registry.example/app" }]);
        let template = |policy: &str| {
            json!({ "metadata": { "labels": { "app": self.name } },
                "spec": { "containers": containers, "restartPolicy": policy } })
        };
        let selector = json!({ "matchLabels": { "app": self.name } });
        body["spec"] = match self.kind.as_str() {
            "Pod" => json!({ "containers": containers }),
            "Job" => json!({ "template": template("Never") }),
            "CronJob" => {
                json!({ "schedule": "0 * * * *", "jobTemplate": { "spec": { "template": template("Never") } } })
            }
            "StatefulSet" => json!({ "serviceName": "app", "selector": selector, "template": template("Always") }),
            "Node" => json!({}),
            _ => json!({ "selector": selector, "template": template("Always") }),
        };
        body
    }
}

impl Namespace {
    /// Creates an object in it; a node in the cluster.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn create(&self, object: &Object) -> Result<()> {
        let request = Request::post(object.path(self.name())).header("content-type", "application/json");
        let request = request.body(object.body().to_string().into_bytes())?;
        let created = self.client().request::<Value>(request).await;
        created.map(drop).with_context(|| format!("cannot create the {} {}", object.kind, object.name))
    }

    /// Deletes an object in it.
    ///
    /// # Errors
    /// If the API server rejects it or does not respond.
    pub async fn remove(&self, object: &Object) -> Result<()> {
        let path = format!("{}/{}?gracePeriodSeconds=0", object.path(self.name()), object.name);
        let deleted = self.client().request::<Value>(Request::delete(path).body(Vec::new())?).await;
        deleted.map(drop).with_context(|| format!("cannot delete the {} {}", object.kind, object.name))
    }
}
