//! The sources of signals: the two paths and their payloads.

/// The source of a payload, which decides its format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// An Alertmanager webhook, version 4.
    Prometheus,
    /// A core/v1 Event.
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

#[cfg(test)]
mod tests {
    use super::Source;

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
