use std::collections::BTreeMap;

use onceway_signal::rules::Rules;
use onceway_signal::{Origin, Source, decode};
use serde_json::{Value, json};

use super::{Chain, Found, How, MAX_READS, Step};
use crate::workload::{Controller, Metadata, Named, Unread};

const LABEL: &str = "kubernaut.ai/managed";

/// Objects by kind and name, each with its metadata, in namespace `prod` or in none.
#[derive(Default)]
struct Cluster {
    objects: BTreeMap<(&'static str, &'static str), Metadata>,
    unread: BTreeMap<&'static str, Unread>,
}

impl Cluster {
    fn with(mut self, kind: &'static str, name: &'static str, owner: Option<(&str, &str, &str)>) -> Self {
        let controller = owner.map(|(api_version, kind, name)| Controller {
            kind: kind.into(),
            name: name.into(),
            api_version: Some(api_version.into()),
        });
        self.objects.insert((kind, name), Metadata { controller, labels: BTreeMap::new() });
        self
    }

    fn labelled(mut self, kind: &'static str, name: &'static str, value: &str) -> Self {
        let labels = &mut self.objects.get_mut(&(kind, name)).unwrap().labels;
        labels.insert(LABEL.into(), value.into());
        self
    }

    fn refusing(mut self, kind: &'static str, why: Unread) -> Self {
        self.unread.insert(kind, why);
        self
    }

    /// What is found, and what was read for it.
    fn find(&self, named: Named) -> (Found, Vec<String>) {
        let (mut chain, mut step) = Chain::begin(named, Some(LABEL.into()));
        let mut read = Vec::new();
        loop {
            let object = match step {
                Step::Done(found) => return (found, read),
                Step::Read(object) => object,
            };
            read.push(format!("{}/{}", object.kind.kind, object.name));
            let answer = match self.unread.get(object.kind.kind) {
                Some(why) => Err(why.clone()),
                None => Ok(self.objects.get(&(object.kind.kind, object.name.as_str())).cloned()),
            };
            step = chain.resume(object, answer);
        }
    }

    /// What is found, in a line.
    fn shown(&self, named: Named) -> String {
        let Found { target, how, .. } = self.find(named).0;
        format!("{}: {} {}/{}", how.label(), target.api_version.unwrap_or_default(), target.kind, target.name)
    }
}

fn of_alert(label: &str, name: &str) -> Named {
    let mut labels = json!({"alertname": "A", "namespace": "prod"});
    labels[label] = json!(name);
    named(Source::Prometheus, &json!({"alerts": [{"status": "firing", "labels": labels}]}))
}

fn named(source: Source, body: &Value) -> Named {
    let body = body.to_string();
    let payload = decode(Rules::built_in(), Origin::of(source), body.as_bytes()).unwrap();
    Named::of(payload.entries()[0].signal.as_ref().unwrap())
}

const POD: &str = "payment-api-7d4b9c6f8-x2k4z";
const RS: &str = "payment-api-7d4b9c6f8";

fn deployment() -> Cluster {
    Cluster::default()
        .with("Pod", POD, Some(("apps/v1", "ReplicaSet", RS)))
        .with("ReplicaSet", RS, Some(("apps/v1", "Deployment", "payment-api")))
        .with("Deployment", "payment-api", None)
}

#[test]
fn a_pods_controllers_are_followed_to_their_end() {
    let (found, read) = deployment().find(of_alert("pod", POD));
    let target = json!({"kind": "Deployment", "name": "payment-api", "namespace": "prod", "apiVersion": "apps/v1"});
    assert_eq!((serde_json::to_value(&found.target).unwrap(), found.how), (target, How::Verified));
    assert_eq!(read, [format!("Pod/{POD}"), format!("ReplicaSet/{RS}"), "Deployment/payment-api".to_owned()]);

    let jobs = Cluster::default()
        .with("Pod", "report-28012345-x2k4z", Some(("batch/v1", "Job", "report-28012345")))
        .with("Job", "report-28012345", Some(("batch/v1", "CronJob", "report")))
        .with("CronJob", "report", None);
    assert_eq!(jobs.shown(of_alert("pod", "report-28012345-x2k4z")), "verified: batch/v1 CronJob/report");
    assert_eq!(jobs.shown(of_alert("job_name", "report-28012345")), "verified: batch/v1 CronJob/report");
    for (kind, name, pod) in [("StatefulSet", "db", "db-0"), ("DaemonSet", "agent", "agent-x2k4z")] {
        let cluster = Cluster::default().with("Pod", pod, Some(("apps/v1", kind, name))).with(kind, name, None);
        assert_eq!(cluster.shown(of_alert("pod", pod)), format!("verified: apps/v1 {kind}/{name}"));
    }
}

#[test]
fn what_a_name_seems_to_tell_gives_way_to_what_exists() {
    // A bare Job's pod looks like a DaemonSet's, and a bare pod with a number like a StatefulSet's.
    let cluster = Cluster::default()
        .with("Pod", "helm-install-nr78d", Some(("batch/v1", "Job", "helm-install")))
        .with("Job", "helm-install", None)
        .with("Pod", "probe-0", None)
        .with("Pod", "etcd-worker-1", Some(("v1", "Node", "worker-1")));
    assert_eq!(cluster.shown(of_alert("pod", "helm-install-nr78d")), "verified: batch/v1 Job/helm-install");
    assert_eq!(cluster.shown(of_alert("pod", "probe-0")), "verified: v1 Pod/probe-0");
    assert_eq!(cluster.shown(of_alert("pod", "etcd-worker-1")), "verified: v1 Pod/etcd-worker-1");
}

#[test]
fn a_controller_without_a_namespace_is_none_whoever_names_it() {
    for (kind, name) in [("Namespace", "kube-system"), ("Node", "worker-1"), ("PersistentVolume", "pv-1")] {
        let cluster = Cluster::default().with("Pod", "a", Some(("v1", kind, name))).with(kind, name, None);
        assert_eq!(cluster.shown(of_alert("pod", "a")), "verified: v1 Pod/a");
        let event = json!({"type": "Warning", "reason": "BackOff", "involvedObject": {
            "kind": "Pod", "namespace": "prod", "name": "gone", "apiVersion": "v1",
            "ownerReferences": [{"kind": kind, "apiVersion": "v1", "name": name, "controller": true}]}});
        assert_eq!(cluster.shown(named(Source::KubernetesEvent, &event)), "missing: v1 Pod/gone");
        assert_eq!(named(Source::KubernetesEvent, &event).derived().kind, "Pod");
    }
}

#[test]
fn an_unknown_controller_is_named_as_the_reference_names_it() {
    let cluster = Cluster::default().with("Pod", POD, Some(("apps/v1", "ReplicaSet", RS))).with(
        "ReplicaSet",
        RS,
        Some(("argoproj.io/v1alpha1", "Rollout", "payment-api")),
    );
    assert_eq!(cluster.shown(of_alert("pod", POD)), "referenced: argoproj.io/v1alpha1 Rollout/payment-api");
    // A kind of the same name in another group is not ours to read.
    let other = Cluster::default().with("Pod", "a", Some(("apps.kruise.io/v1", "StatefulSet", "b")));
    assert_eq!(other.shown(of_alert("pod", "a")), "referenced: apps.kruise.io/v1 StatefulSet/b");
}

#[test]
fn an_object_that_is_gone_leaves_the_workload_that_its_name_implies() {
    let gone = Cluster::default().with("Deployment", "payment-api", None);
    assert_eq!(gone.shown(of_alert("pod", POD)), "implied: apps/v1 Deployment/payment-api");
    assert_eq!(gone.shown(of_alert("replicaset", RS)), "implied: apps/v1 Deployment/payment-api");
    // Its ReplicaSet is there, and belongs to something else than a Deployment.
    let rollout = Cluster::default().with("ReplicaSet", RS, Some(("argoproj.io/v1alpha1", "Rollout", "payment-api")));
    assert_eq!(rollout.shown(of_alert("pod", POD)), "referenced: argoproj.io/v1alpha1 Rollout/payment-api");
    let stateful = Cluster::default().with("StatefulSet", "db", None);
    assert_eq!(stateful.shown(of_alert("pod", "db-0")), "implied: apps/v1 StatefulSet/db");
    let daemon = Cluster::default().with("DaemonSet", "agent", None);
    assert_eq!(daemon.shown(of_alert("pod", "agent-x2k4z")), "implied: apps/v1 DaemonSet/agent");
    let job = Cluster::default().with("Job", "agent", None);
    assert_eq!(job.shown(of_alert("pod", "agent-x2k4z")), "implied: batch/v1 Job/agent");
    // A template's hash that is too short to be distinguished from a name.
    let short = Cluster::default().with("ReplicaSet", "a-bcd", Some(("apps/v1", "Deployment", "a")));
    assert_eq!(
        short.with("Deployment", "a", None).shown(of_alert("pod", "a-bcd-x2k4z")),
        "implied: apps/v1 Deployment/a"
    );
}

#[test]
fn the_owner_that_an_event_states_is_looked_for_before_what_the_name_implies() {
    let event = json!({"type": "Warning", "reason": "BackOff", "involvedObject": {
        "kind": "Pod", "namespace": "prod", "name": "agent-x2k4z", "apiVersion": "v1",
        "ownerReferences": [{"kind": "StatefulSet", "apiVersion": "apps/v1", "name": "db", "controller": true}]}});
    let cluster = Cluster::default().with("StatefulSet", "db", None).with("DaemonSet", "agent", None);
    assert_eq!(cluster.shown(named(Source::KubernetesEvent, &event)), "implied: apps/v1 StatefulSet/db");
}

#[test]
fn a_controller_that_is_gone_leaves_the_last_object_that_exists() {
    let orphan = Cluster::default().with("Pod", POD, Some(("apps/v1", "ReplicaSet", RS)));
    let (found, read) = orphan.find(of_alert("pod", POD));
    assert_eq!((found.target.kind.as_str(), found.how), ("Pod", How::Verified), "{read:?}");
    let replaced = orphan.with("Deployment", "payment-api", None);
    assert_eq!(replaced.shown(of_alert("pod", POD)), "verified: apps/v1 Deployment/payment-api");
}

#[test]
fn what_exists_nowhere_is_named_as_the_signal_names_it() {
    let (found, read) = Cluster::default().find(of_alert("pod", POD));
    assert_eq!((found.target.name.as_str(), found.how), (POD, How::Missing));
    assert_eq!(read, [format!("Pod/{POD}"), "Deployment/payment-api".into(), format!("ReplicaSet/{RS}")]);
    assert_eq!(Cluster::default().shown(of_alert("deployment", "a")), "missing: apps/v1 Deployment/a");
    assert_eq!(Cluster::default().shown(of_alert("rollout", "a")), "named:  Rollout/a");
}

#[test]
fn without_an_answer_the_best_that_is_known_is_taken() {
    for (why, how) in [(Unread::NoRight, "no_right"), (Unread::Failed("503".into()), "failed")] {
        let nothing = deployment().refusing("Pod", why.clone());
        assert_eq!(nothing.shown(of_alert("pod", POD)), format!("{how}: apps/v1 Deployment/payment-api"));
        assert_eq!(nothing.shown(of_alert("pod", "db-0")), format!("{how}: v1 Pod/db-0"));
        let half = deployment().refusing("ReplicaSet", why.clone());
        assert_eq!(half.shown(of_alert("pod", POD)), format!("{how}: apps/v1 Deployment/payment-api"));
        let most = deployment().refusing("Deployment", why);
        assert_eq!(most.shown(of_alert("pod", POD)), format!("{how}: apps/v1 Deployment/payment-api"));
    }
}

#[test]
fn a_circle_of_controllers_ends() {
    let circle = Cluster::default().with("Job", "a", Some(("batch/v1", "Job", "b"))).with(
        "Job",
        "b",
        Some(("batch/v1", "Job", "a")),
    );
    let (found, read) = circle.find(of_alert("job_name", "a"));
    assert_eq!((found.how, read.len()), (How::Referenced, MAX_READS));
}

#[test]
fn the_label_of_the_workload_counts_else_that_of_the_object_nearest_to_it() {
    let managed = |cluster: Cluster| cluster.find(of_alert("pod", POD)).0.managed;
    assert_eq!(managed(deployment()), None);
    assert_eq!(managed(deployment().labelled("Pod", POD, "false")), Some(false));
    let both = deployment().labelled("Pod", POD, "false").labelled("Deployment", "payment-api", "true");
    assert_eq!(managed(both), Some(true));
    let odd = deployment().labelled("Pod", POD, "true").labelled("Deployment", "payment-api", "yes");
    assert_eq!(managed(odd), Some(true), "another value is as none");
}
