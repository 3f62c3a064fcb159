//! Where signals come from: the two paths and what they carry.

/// The kind of payload that a path takes.
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

    /// The source of a path, which is given without its query; `None` for a path that takes no signals.
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
    fn a_path_leads_to_its_source_and_back() {
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
