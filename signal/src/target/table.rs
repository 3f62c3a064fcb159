//! The labels of an alert that name its target. Not configurable: filter and sidecar must compute the same fingerprint.

/// A label that names an object.
pub(crate) struct Rule {
    /// The label.
    pub(crate) label: &'static str,
    /// The kind of the object that the label's value is the name of.
    pub(crate) kind: &'static str,
}

const fn rule(label: &'static str, kind: &'static str) -> Rule {
    Rule { label, kind }
}

/// The most specific workload first: the first label that is present names the target. Labels that describe the scrape
/// (`job`, `instance`, `service`, `endpoint`, `container`) are not among them.
pub(crate) const TARGETS: [Rule; 9] = [
    rule("deployment", "Deployment"),
    rule("statefulset", "StatefulSet"),
    rule("daemonset", "DaemonSet"),
    rule("cronjob", "CronJob"),
    rule("job_name", "Job"),
    rule("pod", "Pod"),
    rule("horizontalpodautoscaler", "HorizontalPodAutoscaler"),
    rule("persistentvolumeclaim", "PersistentVolumeClaim"),
    rule("node", "Node"),
];

/// The kind of an alert that names neither an object nor a namespace; its name is the alert's.
pub(crate) const CLUSTER_SCOPE: &str = "ClusterScope";
