//! What is built by Go: programs that are built together from one module of `tests/tools/go`, and kept together.

use crate::Tool;

/// Programs that are built together and cached together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// kube-apiserver and etcd: what everything runs against. They share most of their dependencies.
    ApiServer,
    /// Alertmanager: what some tests alone need.
    Alertmanager,
    /// kubectl: what the commands of the documentation need.
    Kubectl,
    /// Helm, which installs the chart.
    Helm,
    /// A registry of images and its client.
    Crane,
    /// The control plane of Envoy Gateway.
    EnvoyGateway,
    /// The control plane of Istio and its agent.
    Istio,
    /// Prometheus and promtool: what the tests of rules, dashboard and runbooks need. They share most of their dependencies.
    Prometheus,
}

/// A Go module without code of its own: its go.mod names the programs as tools and pins every dependency, its go.sum their
/// hashes. Both are compiled into this library, so that the result does not depend on where it is built.
pub(crate) struct Module {
    /// Its go.mod.
    pub(crate) requirements: &'static str,
    /// Its go.sum.
    pub(crate) sums: &'static str,
}

macro_rules! module {
    ($folder:literal) => {
        Module {
            requirements: include_str!(concat!("../../go/", $folder, "/go.mod")),
            sums: include_str!(concat!("../../go/", $folder, "/go.sum")),
        }
    };
}

impl Set {
    /// The module that pins what is built.
    pub(crate) const fn module(self) -> Module {
        match self {
            // It needs older versions of what the others share.
            Self::Alertmanager => module!("alertmanager"),
            // It needs other versions, too.
            Self::Prometheus => module!("prometheus"),
            // One module, so that what they share, which is more than half of it, is compiled once.
            _ => module!("servers"),
        }
    }

    /// The packages of the programs.
    pub(crate) fn packages(self) -> &'static [&'static str] {
        match self {
            Self::ApiServer => &["k8s.io/kubernetes/cmd/kube-apiserver", "go.etcd.io/etcd/server/v3"],
            Self::Alertmanager => &["github.com/prometheus/alertmanager/cmd/alertmanager"],
            Self::Kubectl => &["k8s.io/kubernetes/cmd/kubectl"],
            Self::Helm => &["helm.sh/helm/v4/cmd/helm"],
            Self::Crane => &["github.com/google/go-containerregistry/cmd/crane"],
            Self::EnvoyGateway => &["github.com/envoyproxy/gateway/cmd/envoy-gateway"],
            Self::Istio => &["istio.io/istio/pilot/cmd/pilot-discovery", "istio.io/istio/pilot/cmd/pilot-agent"],
            Self::Prometheus => {
                &["github.com/prometheus/prometheus/cmd/prometheus", "github.com/prometheus/prometheus/cmd/promtool"]
            }
        }
    }

    /// The build tags, separated by commas; empty for none.
    pub(crate) const fn tags(self) -> &'static str {
        match self {
            // Tests name their targets: without the clients of two dozen clouds it has a third fewer packages.
            Self::Prometheus => "remove_all_sd",
            _ => "",
        }
    }

    /// Files and folders of modules that belong to the programs: the module, the path in it, the name in the cache.
    pub(crate) fn files(self) -> &'static [(&'static str, &'static str, &'static str)] {
        const ISTIO: &str = "istio.io/istio";
        match self {
            Self::EnvoyGateway => &[("github.com/envoyproxy/gateway", "charts/gateway-crds-helm", "crds")],
            Self::Istio => &[
                (ISTIO, "manifests/charts/base/files/crd-all.gen.yaml", "crds.yaml"),
                (ISTIO, "tools/packaging/common/envoy_bootstrap.json", "envoy_bootstrap.json"),
            ],
            _ => &[],
        }
    }

    /// What the programs are called in messages.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver and etcd",
            Self::Alertmanager => "Alertmanager",
            Self::Kubectl => "kubectl",
            Self::Helm => "Helm",
            Self::Crane => "a registry of images",
            Self::EnvoyGateway => "Envoy Gateway",
            Self::Istio => "Istio",
            Self::Prometheus => "Prometheus",
        }
    }

    /// The name in the cache.
    pub(crate) fn cache_name(self) -> String {
        let of = |tool: Tool| format!("{}-{}", tool.name(), tool.version());
        match self {
            Self::ApiServer => format!("{}-{}", of(Tool::KubeApiserver), of(Tool::Etcd)),
            Self::Alertmanager => of(Tool::Alertmanager),
            Self::Kubectl => of(Tool::Kubectl),
            Self::Helm => of(Tool::Helm),
            Self::Crane => of(Tool::Crane),
            Self::EnvoyGateway => of(Tool::EnvoyGateway),
            Self::Istio => format!("istio-{}", Tool::PilotDiscovery.version()),
            Self::Prometheus => of(Tool::Prometheus),
        }
    }

    /// Expected seconds of the download and of the compilation, cold, on 2 cores.
    pub(crate) const fn seconds(self) -> (u32, u32) {
        match self {
            Self::ApiServer => (60, 270),
            Self::Alertmanager => (15, 45),
            // What they do not share with kube-apiserver.
            Self::Kubectl => (5, 25),
            Self::Helm => (10, 30),
            Self::Crane => (5, 10),
            Self::EnvoyGateway => (20, 80),
            Self::Istio => (20, 100),
            Self::Prometheus => (60, 160),
        }
    }
}
