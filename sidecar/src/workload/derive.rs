//! The workload without any read: what the signal says, and what names tell for certain.

use super::kinds;
use super::named::Named;
use super::read::Controller;
use crate::rr::TargetResource;

/// The workloads that a generated name tells for certain: it holds a template's hash, or a schedule's time. (A DaemonSet's pods
/// look like those of a Job, and a StatefulSet's like any pod with a number.)
const CERTAIN: [&str; 2] = ["Deployment", "CronJob"];

impl Named {
    /// What names and the signal itself tell: the owner as far as that is certain, else the object. Nothing of it was found in
    /// the cluster.
    pub fn derived(&self) -> TargetResource {
        let implied = self.implied.as_ref().filter(|(kind, _)| CERTAIN.contains(&kind.as_str()));
        let namespace = self.object.namespace.as_deref();
        match (implied, &self.owner) {
            (Some((kind, name)), _) => {
                let owner = Controller { kind: kind.clone(), name: name.clone(), api_version: None };
                referenced(&owner, namespace)
            }
            (None, Some(owner)) => referenced(owner, namespace),
            (None, None) => with_api_version(self.object.clone()),
        }
    }
}

/// A controller, as an object in `namespace` or the signal refers to it.
pub(super) fn referenced(owner: &Controller, namespace: Option<&str>) -> TargetResource {
    let Controller { kind, name, api_version } = owner.clone();
    with_api_version(TargetResource { kind, name, namespace: namespace.map(str::to_owned), api_version })
}

/// With the API version of a well-known kind, where it has none.
pub(super) fn with_api_version(mut target: TargetResource) -> TargetResource {
    if target.api_version.is_none() {
        target.api_version = kinds::find(&target.kind, None).map(kinds::Kind::api_version);
    }
    target
}

#[cfg(test)]
mod tests {
    use onceway_signal::rules::Rules;
    use onceway_signal::{Origin, Source, decode};
    use serde_json::{Value, json};

    use crate::workload::Named;

    fn shown(source: Source, body: &Value) -> String {
        let body = body.to_string();
        let payload = decode(Rules::built_in(), Origin::of(source), body.as_bytes()).unwrap();
        let target = Named::of(payload.entries()[0].signal.as_ref().unwrap()).derived();
        format!(
            "{} {}:{}:{}",
            target.api_version.unwrap_or_default(),
            target.namespace.unwrap_or_default(),
            target.kind,
            target.name
        )
    }

    fn of_alert(labels: Value) -> String {
        let mut labels = labels;
        labels["alertname"] = json!("A");
        shown(Source::Prometheus, &json!({"alerts": [{"status": "firing", "labels": labels}]}))
    }

    fn of_event(object: Value) -> String {
        shown(Source::KubernetesEvent, &json!({"type": "Warning", "reason": "BackOff", "involvedObject": object}))
    }

    #[test]
    fn a_name_that_tells_the_owner_for_certain_is_reduced_and_no_other() {
        for (label, name, expected) in [
            ("pod", "payment-api-7d4b9c6f8-x2k4z", "apps/v1 prod:Deployment:payment-api"),
            ("pod", "report-28012345-x2k4z", "batch/v1 prod:CronJob:report"),
            ("job_name", "report-28012345", "batch/v1 prod:CronJob:report"),
            ("replicaset", "payment-api-7d4b9c6f8", "apps/v1 prod:Deployment:payment-api"),
            ("pod", "agent-x2k4z", "v1 prod:Pod:agent-x2k4z"),
            ("pod", "db-0", "v1 prod:Pod:db-0"),
            ("deployment", "payment-api", "apps/v1 prod:Deployment:payment-api"),
            ("service", "payment", "v1 prod:Service:payment"),
            ("rollout", "payment", " prod:Rollout:payment"),
        ] {
            let mut labels = json!({"namespace": "prod"});
            labels[label] = json!(name);
            assert_eq!(of_alert(labels), expected);
        }
    }

    #[test]
    fn cluster_scoped_objects_have_the_version_of_the_core_api() {
        assert_eq!(of_alert(json!({"node": "worker-1"})), "v1 :Node:worker-1");
        assert_eq!(of_alert(json!({"persistentvolume": "pv-1", "namespace": "x"})), "v1 :PersistentVolume:pv-1");
        assert_eq!(of_alert(json!({"namespace": "prod"})), "v1 :Namespace:prod");
        assert_eq!(of_alert(json!({"instance": "db.example:9100"})), " :Instance:db.example");
    }

    #[test]
    fn the_owner_that_an_event_names_is_believed_with_its_version() {
        let with = |kind: &str, version: &str, name: &str| {
            of_event(json!({"kind": "Pod", "namespace": "prod", "name": "payment-x2k4z", "apiVersion": "v1",
                "ownerReferences": [{"kind": kind, "apiVersion": version, "name": name, "controller": true}]}))
        };
        assert_eq!(with("DaemonSet", "apps/v1", "agent"), "apps/v1 prod:DaemonSet:agent");
        assert_eq!(with("ReplicaSet", "apps/v1", "payment-7d4b9c6f8"), "apps/v1 prod:Deployment:payment");
        assert_eq!(with("Workflow", "argoproj.io/v1alpha1", "build"), "argoproj.io/v1alpha1 prod:Workflow:build");
        // A static pod.
        assert_eq!(with("Node", "v1", "worker-1"), "v1 prod:Pod:payment-x2k4z");
    }

    #[test]
    fn an_objects_own_version_is_kept() {
        let object = json!({"kind": "Node", "apiVersion": "longhorn.io/v1beta2", "namespace": "longhorn", "name": "a"});
        assert_eq!(of_event(object), "longhorn.io/v1beta2 longhorn:Node:a");
    }
}
