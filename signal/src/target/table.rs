//! Which labels of an alert name its target: data, in one place. It is not configuration, because two configurations of
//! one hash would diverge.

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

/// The most specific workload first: the first label that is there names the target. Labels that describe the scrape
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
