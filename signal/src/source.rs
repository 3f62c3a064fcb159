//! The sources of signals: the two paths and their payloads.

use crate::error::DecodeError;
use crate::limits::MAX_CLUSTER;

/// The source of a payload, which decides its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An Alertmanager webhook, version 4.
    Prometheus,
    /// A Kubernetes Event: core/v1 or events.k8s.io/v1.
    KubernetesEvent,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 2] = [Self::Prometheus, Self::KubernetesEvent];

    /// The path that takes this source's payloads.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Prometheus => "/api/v1/signals/prometheus",
            Self::KubernetesEvent => "/api/v1/signals/kubernetes-event",
        }
    }

    /// The source of a path (without the query); `None` for a path that takes no signals.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.path() == path)
    }

    /// The name of the source in an RR's `spec.signalSource`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prometheus => "prometheus",
            Self::KubernetesEvent => "kubernetes-events",
        }
    }
}

/// Where a payload was sent to: the path, and what its query says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The source of the path.
    pub source: Source,
    /// The cluster of signals that name none: `?cluster=` of the path.
    cluster: Option<Box<str>>,
}

impl Origin {
    /// The path of `source` without a query.
    #[must_use]
    pub fn of(source: Source) -> &'static Self {
        static PROMETHEUS: Origin = Origin { source: Source::Prometheus, cluster: None };
        static KUBERNETES_EVENT: Origin = Origin { source: Source::KubernetesEvent, cluster: None };
        match source {
            Source::Prometheus => &PROMETHEUS,
            Source::KubernetesEvent => &KUBERNETES_EVENT,
        }
    }

    /// The origin of a payload that was sent to the path of `source` with this query (without the `?`).
    ///
    /// # Errors
    /// If the query has `cluster` twice, or a value of it that is no cluster's name.
    pub fn new(source: Source, query: Option<&str>) -> Result<Self, DecodeError> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let mut clusters = pairs.filter(|(key, _)| key == "cluster").map(|(_, cluster)| cluster);
        let cluster = clusters.next().filter(|cluster| !cluster.is_empty());
        if clusters.next().is_some() {
            return Err(DecodeError::Cluster { problem: "is there twice" });
        }
        let Some(cluster) = cluster else { return Ok(Self { source, cluster: None }) };
        if cluster.chars().count() > MAX_CLUSTER {
            return Err(DecodeError::Cluster { problem: "is longer than 253 characters" });
        }
        if cluster.contains(char::REPLACEMENT_CHARACTER) {
            return Err(DecodeError::Cluster { problem: "is not UTF-8" });
        }
        Ok(Self { source, cluster: Some(cluster.into()) })
    }

    /// The cluster of signals that name none.
    #[must_use]
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, Source};

    #[test]
    fn the_query_may_name_a_cluster() {
        for (query, cluster) in [
            (None, None),
            (Some(""), None),
            (Some("x=1&y"), None),
            (Some("cluster="), None),
            (Some("cluster=east-1"), Some("east-1")),
            (Some("a=b&cluster=arn%3Aaws:eks/x+y"), Some("arn:aws:eks/x y")),
        ] {
            assert_eq!(Origin::new(Source::Prometheus, query).unwrap().cluster(), cluster, "{query:?}");
        }
    }

    #[test]
    fn a_cluster_that_is_there_twice_or_no_text_or_too_long_is_an_error() {
        let long = format!("cluster={}", "a".repeat(254));
        for query in ["cluster=a&cluster=b", "cluster=&cluster=b", "cluster=%ff", &long] {
            assert!(Origin::new(Source::KubernetesEvent, Some(query)).is_err(), "{query}");
        }
    }

    #[test]
    fn each_path_maps_to_its_source() {
        for source in Source::ALL {
            assert_eq!(Source::from_path(source.path()), Some(source));
        }
    }

    #[test]
    fn other_paths_take_no_signals() {
        for path in ["", "/", "/api/v1/signals", "/api/v1/signals/prometheus/", "/api/v1/signals/prometheus?x=1"] {
            assert_eq!(Source::from_path(path), None, "{path}");
        }
    }
}
