//! From a pod's name to its workload: by example, and for every name that Kubernetes can generate.

use onceway_signal::Rejection;
use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};
use proptest::string::string_regex;
use serde_json::json;

use crate::support::{decode_event, event, only, target_of};

/// The target of an event about this pod.
fn target(pod: &str) -> String {
    let body = event(json!({"apiVersion": "v1", "kind": "Pod", "namespace": "ns", "name": pod})).to_string();
    only(&decode_event(&body)).signal.expect("a signal").target.to_string()
}

#[test]
fn a_pod_name_maps_to_the_workload_that_it_was_generated_for() {
    for (pod, workload) in [
        // A ReplicaSet's: hashes of 10, 9, 8, 7 and 6 characters.
        ("payment-api-7d4b8c9f5d-x2k4z", "Deployment:payment-api"),
        ("coredns-5d78c9869-2xv7p", "Deployment:coredns"),
        ("web-6b4f7c9d-qqq22", "Deployment:web"),
        ("web-6b4f7c9-zzzzz", "Deployment:web"),
        ("web-6b4f7c-bbbbb", "Deployment:web"),
        ("a-b-c-d-7d4b8c9f5d-x2k4z", "Deployment:a-b-c-d"),
        // All digits, but the first is not one that a time begins with.
        ("web-5574468998-24567", "Deployment:web"),
        // Fewer than 6 characters, or letters that no hash has: a DaemonSet's name ends like that.
        ("web-6b4f7-zzzzz", "DaemonSet:web-6b4f7"),
        ("node-local-dns-x2k4z", "DaemonSet:node-local-dns"),
        ("my-db-x2k4z", "DaemonSet:my-db"),
        ("app-cfgmgr-x2k4z", "DaemonSet:app-cfgmgr"),
        ("web-7d4b8c9f5db-x2k4z", "DaemonSet:web-7d4b8c9f5db"),
        ("fluentd-9xk2p", "DaemonSet:fluentd"),
        ("x-24567", "DaemonSet:x"),
        // A CronJob's: minutes since 1970 (2026, 2046), seconds in old releases.
        ("backup-29456784-x2k4z", "CronJob:backup"),
        ("backup-40000001-x2k4z", "CronJob:backup"),
        ("backup-1609459200-x2k4z", "CronJob:backup"),
        ("nightly-report-29456784-zzzzz", "CronJob:nightly-report"),
        ("backup-2945678-x2k4z", "DaemonSet:backup-2945678"),
        // A StatefulSet's: decimal ordinals.
        ("postgres-0", "StatefulSet:postgres"),
        ("kafka-broker-17", "StatefulSet:kafka-broker"),
        ("web-10000", "StatefulSet:web"),
        ("a.b-1", "StatefulSet:a.b"),
        // Not a generated name.
        ("postgres-00", "Pod:postgres-00"),
        ("postgres-01", "Pod:postgres-01"),
        ("postgres", "Pod:postgres"),
        ("debug-shell", "Pod:debug-shell"),
        ("web-7d4b8c9f5d-x2k4a", "Pod:web-7d4b8c9f5d-x2k4a"),
        ("web-7d4b8c9f5d-x2k4", "Pod:web-7d4b8c9f5d-x2k4"),
        ("debug-grpcxds", "Pod:debug-grpcxds"),
        // No workload name is left.
        ("x2k4z", "Pod:x2k4z"),
        ("0", "Pod:0"),
    ] {
        assert_eq!(target(pod), format!("ns:{workload}"), "{pod}");
    }
}

#[test]
fn what_is_no_name_of_a_pod_is_reduced_to_nothing() {
    for pod in [
        "web-7d4b8c9f5d-X2K4Z",
        "-x2k4z",
        "-0",
        "-",
        "a-",
        "-7d4b8c9f5d-x2k4z",
        "ü-x2k4z",
        "web-éé",
        "é",
        "web-0é",
        "web-٣",
    ] {
        let body = event(json!({"apiVersion": "v1", "kind": "Pod", "namespace": "ns", "name": pod})).to_string();
        let rejection = only(&decode_event(&body)).signal.unwrap_err();
        assert!(matches!(rejection, Rejection::Syntax { field: "involvedObject.name", .. }), "{rejection}");
    }
}

#[test]
fn jobs_and_replica_sets_are_reduced_by_their_generated_names() {
    for (label, name, target) in [
        ("job_name", "report-29456784", "CronJob:report"),
        ("job_name", "report-1754042400", "CronJob:report"),
        ("job_name", "report-2945", "Job:report-2945"),
        ("job_name", "migrate", "Job:migrate"),
        ("replicaset", "web-7d4b8c9f5d", "Deployment:web"),
        ("replicaset", "web-blue", "ReplicaSet:web-blue"),
        ("replicaset", "web-7d4b8", "ReplicaSet:web-7d4b8"),
    ] {
        let mut labels = json!({"alertname": "A", "namespace": "ns"});
        labels[label] = name.into();
        assert_eq!(target_of(labels), format!("ns:{target}"), "{name}");
    }
}

#[test]
fn a_static_pod_stays_a_pod_whatever_its_node_is_called() {
    for (namespace, pod) in [
        ("kube-system", "etcd-cp-1"),
        ("kube-system", "kube-apiserver-ip-10-0-0-179"),
        ("kube-system", "kube-scheduler-pool-7d4b8c9f5d-x2k4z"),
        ("openshift-kube-controller-manager", "kube-controller-manager-master-0"),
    ] {
        let labels = json!({"alertname": "A", "namespace": namespace, "pod": pod});
        assert_eq!(target_of(labels), format!("{namespace}:Pod:{pod}"));
    }
    for (namespace, pod, target) in [
        ("shop", "etcd-cp-1", "shop:StatefulSet:etcd-cp"),
        ("kube-system", "etcd-0", "kube-system:StatefulSet:etcd"),
        ("kube-system", "kube-proxy-x2k4z", "kube-system:DaemonSet:kube-proxy"),
    ] {
        assert_eq!(target_of(json!({"alertname": "A", "namespace": namespace, "pod": pod})), target);
    }
}

#[test]
fn an_escaped_pod_name_is_reduced_like_a_plain_one() {
    let body = r#"{"alerts":[{"labels":{"alertname":"A","namespace":"ns","pod":"w\u0065b-7d4b8c9f5d-x2k4z"}}]}"#;
    assert_eq!(crate::support::signal_of(body).target.to_string(), "ns:Deployment:web");
}

#[test]
fn a_name_that_kubernetes_truncated_maps_to_what_is_left_of_its_workloads_name() {
    let d = "d".repeat(51);
    let c = "c".repeat(52);
    let x = "x".repeat(70);
    for (base, workload) in [
        (format!("{d}-7d4b8c9f5d-"), format!("Deployment:{d}")),
        (format!("{c}-29456784-"), format!("CronJob:{c}")),
        (format!("{x}-"), format!("DaemonSet:{}", &x[..58])),
    ] {
        assert_eq!(target(&generate_name(&base, "x2k4z")), format!("ns:{workload}"));
        assert_eq!(target(&generate_name(&base, "24567")), format!("ns:{workload}"));
    }
}

/// The alphabet of suffixes in Kubernetes.
const ALPHABET: &str = "bcdfghjklmnpqrstvwxz2456789";

/// `rand.SafeEncodeString(fmt.Sprint(sum))`: how a pod-template-hash is written.
fn safe_encode(sum: u32) -> String {
    sum.to_string().bytes().map(|byte| char::from(ALPHABET.as_bytes()[usize::from(byte) % ALPHABET.len()])).collect()
}

/// `names.SimpleNameGenerator`: 58 bytes of the base, then the suffix.
fn generate_name(base: &str, suffix: &str) -> String {
    format!("{}{suffix}", &base[..base.len().min(58)])
}

fn name(longest: usize) -> impl Strategy<Value = String> {
    string_regex(&format!("[a-z]([a-z0-9-]{{0,{}}}[a-z])?", longest - 2)).expect("a regular expression")
}

fn suffix() -> impl Strategy<Value = String> {
    string_regex(&format!("[{ALPHABET}]{{5}}")).expect("a regular expression")
}

proptest! {
    #[test]
    fn every_pod_of_a_deployment_maps_to_it(name in name(40), sum in 100_000u32.., suffix in suffix()) {
        let pod = generate_name(&format!("{name}-{}-", safe_encode(sum)), &suffix);
        prop_assert_eq!(target(&pod), format!("ns:Deployment:{name}"));
    }

    #[test]
    fn every_pod_of_a_cron_job_maps_to_it(name in name(49), minute in 20_000_000u32..40_000_000, suffix in suffix()) {
        let pod = generate_name(&format!("{name}-{minute}-"), &suffix);
        prop_assert_eq!(target(&pod), format!("ns:CronJob:{name}"));
    }

    #[test]
    fn every_pod_of_a_stateful_set_maps_to_it(name in name(60), ordinal in 0u32..10_000) {
        prop_assert_eq!(target(&format!("{name}-{ordinal}")), format!("ns:StatefulSet:{name}"));
    }

    #[test]
    fn all_pods_of_one_generated_base_are_one_incident(
        name in name(63), sum in any::<u32>(), one in suffix(), other in suffix(),
    ) {
        let base = format!("{name}-{}-", safe_encode(sum));
        prop_assert_eq!(target(&generate_name(&base, &one)), target(&generate_name(&base, &other)));
    }
}
