//! The built-in rules, one table: tried from top to bottom after the user's own, the first that applies names the target.
//!
//! `docs/targets.md` shows the table to users; `signal/tests/field` measures it on real alerts.

use super::document::NamePart;

/// How a rule sees an alert of an exporter that speaks about other objects (an observer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// Every label, as sent. For rules that know what the labels of their exporter mean.
    AsSent,
    /// Without the labels that are about the exporter itself. For rules that are tried on every alert.
    Victim,
}

/// A rule of the table.
pub(super) struct DefaultRule {
    /// What `onceway explain` calls it.
    pub(super) id: &'static str,
    /// The labels of which one must match.
    pub(super) when: &'static [&'static str],
    /// The patterns of which one must match.
    pub(super) patterns: &'static [&'static str],
    pub(super) kind: DefaultKind,
    /// The labels that may hold the name, the first that is present; `@label`: the host in its value.
    pub(super) name: &'static [&'static str],
    /// The labels that may hold the namespace; empty: cluster-scoped.
    pub(super) namespace: &'static [&'static str],
    /// Whether the label `cluster` names the Kubernetes cluster.
    pub(super) reads_cluster: bool,
    /// Whether the rule applies only if there is a namespace.
    pub(super) needs_namespace: bool,
    /// Whether the rule applies to observers alone: its namespace is not that of the scrape, and anybody's metrics could
    /// name any other.
    pub(super) observers_only: bool,
    pub(super) view: View,
}

/// The kind of a rule of the table.
pub(super) enum DefaultKind {
    Literal(&'static str),
    Label(&'static str),
}

impl DefaultRule {
    const fn new(id: &'static str, kind: DefaultKind, name: &'static [&'static str]) -> Self {
        Self {
            id,
            when: &[],
            patterns: &[],
            kind,
            name,
            namespace: NAMESPACES,
            reads_cluster: true,
            needs_namespace: false,
            observers_only: false,
            view: View::Victim,
        }
    }

    /// Only for alerts of which one of the labels matches one of the patterns; sees them as sent.
    const fn when(self, labels: &'static [&'static str], patterns: &'static [&'static str]) -> Self {
        Self { when: labels, patterns, view: View::AsSent, ..self }
    }

    /// Only for observers, with the namespace in these labels.
    const fn in_other_namespace(self, namespace: &'static [&'static str]) -> Self {
        Self { observers_only: true, ..self.namespaces(namespace) }
    }

    const fn namespaces(self, namespace: &'static [&'static str]) -> Self {
        Self { namespace, ..self }
    }

    const fn cluster_scoped(self) -> Self {
        self.namespaces(&[])
    }

    const fn without_cluster(self) -> Self {
        Self { reads_cluster: false, ..self }
    }

    const fn needs_namespace(self) -> Self {
        Self { needs_namespace: true, ..self }
    }

    /// The parts of the name, as a document has them.
    pub(super) fn name_parts(&self) -> impl Iterator<Item = NamePart> {
        self.name.iter().map(|label| match label.strip_prefix('@') {
            Some(host) => NamePart::Host { host: host.to_owned() },
            None => NamePart::Label((*label).to_owned()),
        })
    }
}

const fn rule(id: &'static str, kind: &'static str, name: &'static [&'static str]) -> DefaultRule {
    DefaultRule::new(id, DefaultKind::Literal(kind), name)
}

const fn kind_of(id: &'static str, kind: &'static str, name: &'static [&'static str]) -> DefaultRule {
    DefaultRule::new(id, DefaultKind::Label(kind), name)
}

/// `<namespace>:NamespaceScope:<alertname>`: an alert that names only a namespace. Its RR's target is that namespace.
pub(super) const NAMESPACE_SCOPE: &str = "NamespaceScope";
/// `:ClusterScope:<alertname>`: an alert that names nothing.
pub(super) const CLUSTER_SCOPE: &str = "ClusterScope";

/// By the name in Prometheus' own scrapes, of the scrape configuration in Prometheus' Helm chart, and of OpenTelemetry.
const NAMESPACES: &[&str] = &["namespace", "kubernetes_namespace", "k8s_namespace_name"];
/// The labels that say who exports a metric, the most exact first.
pub(super) const EXPORTER: &[&str] =
    &["job", "service", "app_kubernetes_io_name", "kubernetes_name", "component", "app", "k8s_app"];
const ALERTNAME: &[&str] = &["alertname"];

/// Alerts that are no incident: labels with their values; all labels of one entry must match.
pub(super) const IGNORED: &[&[(&str, &[&str])]] = &[
    // kube-prometheus marks with it what exists to inhibit or to prove that alerting works.
    &[("severity", &["none"])],
    // The heartbeat of the alerting itself, which fires always, and an alert that exists to inhibit others.
    &[("alertname", &["Watchdog", "InfoInhibitor"])],
    // What Grafana sends when somebody tests a contact point.
    &[("alertname", &["TestAlert"]), ("instance", &["Grafana"])],
];

/// Exporters that speak about others, by `job`, `service` (and their aliases) or `container`. The patterns of one line are
/// names of one exporter; a pod whose workload has one of them is the exporter's own.
pub(super) const OBSERVERS: &[&[&str]] = &[
    &["*kube-state-metrics*", "*openshift-state-metrics*", "ksm"],
    // The kubelet and cAdvisor in it: about the node's containers and volumes.
    KUBELET,
    &["*cert-manager*"],
    &["longhorn-*"],
    // Ceph's manager speaks for all of Ceph.
    &["*ceph-mgr*", "*ceph-exporter*", "ceph", "ceph-cluster"],
    &["argocd-*", "*argocd*", "argo-cd*", "*argo-cd*"],
    &["flux-*", "*/flux-*", "kustomize-controller", "helm-controller", "source-controller", "notification-controller"],
    &["*ingress-nginx*", "*nginx-ingress*"],
    &["*blackbox*", "probe/*"],
    &["velero*"],
    &["kyverno*"],
    &["keda-*", "*keda-operator*"],
    &["karpenter*"],
    &["external-secrets*"],
    &["*pushgateway*"],
    &["consul", "*consul-server*"],
    &["*burrow*", "*kafka-lag*"],
    // Whatever is called an exporter speaks about something else. The node exporter has its own rules above all this.
    &["*-exporter", "*_exporter", "*-exporter-*"],
];

/// The table.
pub(super) const RULES: &[DefaultRule] = &[
    // The host's own exporters run as a DaemonSet: `pod` and `namespace` are the exporter's, the victim is the node.
    rule("node-exporter", "Node", &["node", "nodename", "node_name", "kubernetes_node", "k8s_node_name", "@instance"])
        .when(EXPORTER, NODE_EXPORTER)
        .cluster_scoped(),
    // An address that cannot be a node's name, such as IPv6.
    rule("node-exporter-address", "Instance", &["@instance"]).when(EXPORTER, NODE_EXPORTER).cluster_scoped(),
    // "The target of a scrape is down" is about the exporter itself, whatever it observes.
    rule("target-down-pod", "Pod", &["pod"]).when(ALERTNAME, TARGET_DOWN).needs_namespace(),
    rule("target-down", "Service", &["service", "job"]).when(ALERTNAME, TARGET_DOWN).needs_namespace(),
    // `namespace` is that of the API server's Service.
    rule("api-service", "APIService", &["name"]).when(ALERTNAME, &["KubeAggregatedAPI*"]).cluster_scoped(),
    // A claim in another namespace than the exporter's (Longhorn, storage drivers).
    rule("pvc-of-exporter", "PersistentVolumeClaim", &["pvc"])
        .when(&["pvc_namespace"], &["*"])
        .in_other_namespace(&["pvc_namespace"]),
    rule("longhorn-volume", "LonghornVolume", &["volume"]).when(EXPORTER, &["longhorn-*"]),
    rule("ceph-daemon", "CephDaemon", &["ceph_daemon"]).when(EXPORTER, CEPH),
    // The name of Ceph's own health check, such as OSD_FULL.
    rule("ceph-health-check", "CephHealthCheck", &["name"]).when(EXPORTER, CEPH),
    // Consumers lag, whichever exporter measures it.
    rule("consumer-group", "KafkaConsumerGroup", &["consumergroup", "consumer_group"]).when(CONSUMER_GROUP, &["*"]),
    rule("kafka-lag-group", "KafkaConsumerGroup", &["group"]).when(EXPORTER, &["*kafka-lag*", "*burrow*"]),
    rule("kafka-topic", "KafkaTopic", &["topic"]).when(EXPORTER, &["*kafka-exporter*", "*kafka_exporter*"]),
    // `cluster` is the Elasticsearch cluster, not the Kubernetes cluster.
    rule("elasticsearch", "Elasticsearch", &["cluster", "name"])
        .when(EXPORTER, &["*elasticsearch-exporter*", "*elasticsearch_exporter*"])
        .without_cluster(),
    rule("postgresql-server", "PostgreSQL", &["server"]).when(EXPORTER, POSTGRES),
    rule("postgresql-database", "PostgreSQLDatabase", &["datname"]).when(EXPORTER, POSTGRES),
    // `node` is Consul's.
    rule("consul-node", "ConsulNode", &["node"]).when(EXPORTER, &["consul*", "*consul-exporter"]).cluster_scoped(),
    rule("secret-certificate", "Secret", &["secret_name"])
        .when(&["secret_namespace"], &["*"])
        .in_other_namespace(&["secret_namespace"]),
    // By the names of the alerts too: with honored labels nothing names the exporter.
    rule("cert-manager", "Certificate", &["name"]).when(ALERTNAME, &["CertManager*", "Certificate*"]),
    rule("cert-manager-exporter", "Certificate", &["name"]).when(EXPORTER, &["*cert-manager*"]),
    rule("argocd", "Application", &["name"]).when(ALERTNAME, &["ArgoCd*", "ArgoCD*", "ArgoApp*"]),
    rule("argocd-exporter", "Application", &["name"]).when(EXPORTER, &["*argocd*", "*argo-cd*"]),
    // What kube-state-metrics reports of custom resources.
    kind_of("custom-resource", "customresource_kind", &["name"]).when(&["customresource_kind"], &["*"]),
    // Policy engines (Kyverno, Gatekeeper) name the object that breaks a policy.
    kind_of("policy-resource", "resource_kind", &["resource_name"])
        .when(&["resource_kind"], &["*"])
        .in_other_namespace(&["resource_namespace"]),
    rule("velero-schedule", "Schedule", &["schedule"]).when(EXPORTER, &["velero*"]),
    rule("keda", "ScaledObject", &["scaledObject", "scaledobject"]).when(EXPORTER, &["keda-*", "*keda-operator*"]),
    rule("karpenter", "NodePool", &["nodepool"]).when(EXPORTER, &["karpenter*"]).cluster_scoped(),
    // What was probed. The exporter's own address is no URL.
    rule("probe", "ProbeTarget", &["target", "instance"]).when(EXPORTER, &["*blackbox*", "probe/*"]).cluster_scoped(),
    rule("probed-url", "ProbeTarget", &["instance"]).when(&["instance"], &["*://*"]).cluster_scoped(),
    rule("pushed-job", "PushedJob", &["exported_job"]).when(EXPORTER, &["*pushgateway*"]),
    // Workloads of recording rules (kubernetes-mixin).
    rule("workload", "Deployment", &["workload"]).when(&["workload_type"], &["deployment", "Deployment"]),
    rule("workload", "StatefulSet", &["workload"]).when(&["workload_type"], &["statefulset", "StatefulSet"]),
    rule("workload", "DaemonSet", &["workload"]).when(&["workload_type"], &["daemonset", "DaemonSet"]),
    rule("workload", "CronJob", &["workload"]).when(&["workload_type"], &["cronjob", "CronJob"]),
    rule("workload", "Job", &["workload"]).when(&["workload_type"], &["job", "Job"]),
    // Objects that a label names, the workload first.
    rule("deployment", "Deployment", &["deployment", "k8s_deployment_name"]),
    rule("statefulset", "StatefulSet", &["statefulset", "k8s_statefulset_name"]),
    rule("daemonset", "DaemonSet", &["daemonset", "k8s_daemonset_name"]),
    rule("cronjob", "CronJob", &["cronjob", "k8s_cronjob_name"]),
    rule("job", "Job", &["job_name", "k8s_job_name"]),
    rule("replicaset", "ReplicaSet", &["replicaset", "k8s_replicaset_name"]),
    rule("rollout", "Rollout", &["rollout"]),
    rule("deploymentconfig", "DeploymentConfig", &["deploymentconfig"]),
    rule("replicationcontroller", "ReplicationController", &["replicationcontroller"]),
    rule("hpa", "HorizontalPodAutoscaler", &["horizontalpodautoscaler", "hpa"]),
    rule("vpa", "VerticalPodAutoscaler", &["verticalpodautoscaler"]),
    rule("pdb", "PodDisruptionBudget", &["poddisruptionbudget"]),
    rule("resourcequota", "ResourceQuota", &["resourcequota"]),
    rule("pvc", "PersistentVolumeClaim", &["persistentvolumeclaim"]),
    rule("pv", "PersistentVolume", &["persistentvolume"]).cluster_scoped(),
    rule("ingress", "Ingress", &["ingress"]),
    rule("networkpolicy", "NetworkPolicy", &["networkpolicy"]),
    rule("certificate", "Certificate", &["certificate"]),
    // A pod stands for its workload.
    rule("pod", "Pod", PODS),
    // Its metrics say `service="kube-dns"`, its alerts nothing but the container.
    rule("coredns", "Deployment", &["container"]).when(&["container"], &["coredns"]).needs_namespace(),
    rule(
        "node",
        "Node",
        &["node", "nodename", "node_name", "kubernetes_node", "k8s_node_name", "kubernetes_io_hostname"],
    )
    .cluster_scoped(),
    // The kubelet is scraped at its node's address.
    rule("kubelet", "Node", &["@instance"]).when(EXPORTER, KUBELET).cluster_scoped(),
    // Controllers that name the object which they reconcile (Flux and others).
    kind_of("kind-and-name", "kind", &["name"]),
    rule("service", "Service", &["service", "kubernetes_name"]).needs_namespace(),
    rule("job-as-service", "Service", &["job"]).needs_namespace(),
    // Grafana's alerts about its own rules have the rule's name in a label.
    rule("grafana-namespace", NAMESPACE_SCOPE, &["rulename"]).when(ALERTNAME, GRAFANA_NO_DATA).needs_namespace(),
    rule("namespace", NAMESPACE_SCOPE, &["alertname", "alert_name"]).needs_namespace(),
    rule("instance", "Instance", &["@instance", "@host", "@hostname"]).cluster_scoped(),
    rule("grafana", CLUSTER_SCOPE, &["rulename"]).when(ALERTNAME, GRAFANA_NO_DATA).cluster_scoped(),
    rule("cluster", CLUSTER_SCOPE, &["alertname", "alert_name"]).cluster_scoped(),
];

/// The labels that name a pod.
pub(super) const PODS: &[&str] = &["pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name"];

const NODE_EXPORTER: &[&str] = &["*node-exporter*", "*node_exporter*", "*windows-exporter*", "*windows_exporter*"];
const KUBELET: &[&str] = &["*kubelet", "*cadvisor", "kubernetes-nodes*"];
const TARGET_DOWN: &[&str] = &["TargetDown", "InstanceDown", "PrometheusTargetMissing"];
const CEPH: &[&str] = &["*ceph-mgr*", "*ceph-exporter*", "ceph", "ceph-cluster"];
const POSTGRES: &[&str] = &["*postgres-exporter*", "*postgresql-exporter*", "*postgres_exporter*"];
const CONSUMER_GROUP: &[&str] = &["consumergroup", "consumer_group"];
const GRAFANA_NO_DATA: &[&str] = &["DatasourceNoData", "DatasourceError"];

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ALERTNAME, EXPORTER, IGNORED, OBSERVERS, RULES};

    fn documentation() -> String {
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/targets.md")).expect("docs/targets.md")
    }

    #[test]
    fn the_documentation_has_the_table_in_its_order() {
        let documentation = documentation();
        let mut rest = &*documentation;
        let mut previous = "";
        let mut same = "";
        for rule in RULES.iter().filter(|rule| rule.id != std::mem::replace(&mut previous, rule.id)) {
            let row = format!("| `{}` |", rule.id);
            let (_, after) = rest.split_once(&row).unwrap_or_else(|| panic!("{row} is not there, or not in order"));
            let line = after.lines().next().unwrap_or_default();
            for label in rule.name {
                let label = format!("`{}`", label.trim_start_matches('@'));
                assert!(line.contains(&label), "{row} does not name {label}");
            }
            // "the same" as the row before it.
            same = if line.starts_with(" the same") { same } else { line };
            for pattern in rule.patterns.iter().filter(|_| [EXPORTER, ALERTNAME].contains(&rule.when)) {
                assert!(same.contains(&format!("`{pattern}`")), "{row} does not name {pattern}");
            }
            rest = after;
        }
    }

    #[test]
    fn the_documentation_has_every_observer_and_every_ignored_alert() {
        let documentation = documentation();
        for name in OBSERVERS.iter().flat_map(|names| names.iter()) {
            assert!(documentation.contains(&format!("`{name}`")), "{name}");
        }
        for (label, values) in IGNORED.iter().flat_map(|entry| entry.iter()) {
            for value in *values {
                assert!(documentation.contains(&format!("`{label}: {value}`")), "{label}: {value}");
            }
        }
    }

    #[test]
    fn every_alert_with_a_name_has_a_target() {
        let last = RULES.last().expect("a rule");
        assert!(last.when.is_empty() && last.name.contains(&"alertname") && last.namespace.is_empty());
    }
}
