//! Which texts are names: a label's value that is no valid name of its kind names nothing.

use crate::limits::{MAX_KIND, MAX_NAME, MAX_NAMESPACE};

/// What a name must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Grammar {
    /// A DNS label (RFC 1123), as the names of namespaces and services are.
    Label,
    /// A DNS subdomain (RFC 1123), as the names of most objects are.
    Subdomain,
    /// Any text that is not empty.
    Text,
    /// A segment of a URL's path, as every name of a Kubernetes object is. Some are no more than that: those of RBAC objects
    /// have colons (`system:node`).
    PathSegment,
}

/// The kinds whose names are DNS subdomains.
const SUBDOMAINS: [&str; 26] = [
    "APIService",
    "Application",
    "Certificate",
    "CronJob",
    "DaemonSet",
    "Deployment",
    "DeploymentConfig",
    "HorizontalPodAutoscaler",
    "Ingress",
    "Job",
    "NetworkPolicy",
    "Node",
    "NodePool",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "ReplicaSet",
    "ReplicationController",
    "ResourceQuota",
    "Rollout",
    "ScaledObject",
    "Schedule",
    "Secret",
    "StatefulSet",
    "VerticalPodAutoscaler",
];

impl Grammar {
    /// The grammar of the names of this kind: of a kind that is not Kubernetes' any text is one.
    pub(crate) fn of(kind: &str) -> Self {
        match kind {
            "Namespace" | "Service" => Self::Label,
            _ if SUBDOMAINS.contains(&kind) => Self::Subdomain,
            _ => Self::Text,
        }
    }

    /// The grammar of the names of an object in the Kubernetes API: of kinds that are not known, a path segment. The name of
    /// another group's `Service` or `Namespace` is that of a custom resource.
    pub(crate) fn of_object(kind: &str, is_core: bool) -> Self {
        match Self::of(kind) {
            Self::Label if !is_core => Self::Subdomain,
            Self::Text => Self::PathSegment,
            grammar => grammar,
        }
    }

    /// What such a name looks like, for people.
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::Label => "it has 1 to 63 of a-z, 0-9 and inner '-'",
            Self::Subdomain => "it has a-z, 0-9 and inner '-' and '.'",
            Self::Text => "it is not empty",
            Self::PathSegment => "it has no '/', '%' or control characters, and is not '.' or '..'",
        }
    }

    /// Whether `name` is one.
    pub(crate) fn accepts(self, name: &str) -> bool {
        match self {
            Self::Label => name.len() <= MAX_NAMESPACE && is_dns(name.as_bytes(), false),
            Self::Subdomain => name.len() <= MAX_NAME && is_dns(name.as_bytes(), true),
            Self::Text => !name.is_empty() && (name.len() <= MAX_NAME || name.chars().count() <= MAX_NAME),
            Self::PathSegment => {
                Self::Text.accepts(name)
                    && ![".", ".."].contains(&name)
                    && !name.chars().any(|c| matches!(c, '/' | '%') || c.is_control())
            }
        }
    }
}

/// Lowercase letters, digits, inner hyphens and, in a subdomain, inner dots: each section begins and ends with a letter or a
/// digit.
fn is_dns(name: &[u8], dots: bool) -> bool {
    // As after a dot: a section begins.
    let mut last = DOT;
    for byte in name {
        let class = CLASSES.get(usize::from(*byte)).copied().unwrap_or(OTHER);
        let follows = match class {
            ALPHANUMERIC => true,
            HYPHEN => last != DOT,
            DOT => dots && last == ALPHANUMERIC,
            _ => false,
        };
        if !follows {
            return false;
        }
        last = class;
    }
    last == ALPHANUMERIC
}

const ALPHANUMERIC: u8 = 0;
const HYPHEN: u8 = 1;
const DOT: u8 = 2;
const OTHER: u8 = 3;

/// The class of each byte: a table, because names are checked for every alert.
const CLASSES: [u8; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const fn classes() -> [u8; 256] {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'0'..=b'9' => ALPHANUMERIC,
            b'-' => HYPHEN,
            b'.' => DOT,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
}

/// Whether a text can be the kind of a Kubernetes object: letters and digits, a capital first.
pub(crate) fn is_kind(text: &str) -> bool {
    text.len() <= MAX_KIND
        && text.as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a text is the kind of an object in the Kubernetes API, which for a custom resource is any text that is a DNS label
/// (RFC 1035) in lower case.
pub(crate) fn is_api_kind(text: &str) -> bool {
    text.len() <= MAX_KIND
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::{Grammar, is_api_kind, is_kind};

    #[test]
    fn names_follow_rfc_1123() {
        for name in ["a", "web-0", "a--b", "10.0.0.33", "ip-10-0-3-17.eu-central-1.compute.internal", &"a".repeat(253)]
        {
            assert!(Grammar::Subdomain.accepts(name), "{name}");
        }
        for name in
            ["", "-a", "a-", "a..b", ".a", "a.", "a.-b", "a-.b", "A", "a_b", "a b", "a/b", "a:1", "é", &"a".repeat(254)]
        {
            assert!(!Grammar::Subdomain.accepts(name), "{name}");
        }
    }

    #[test]
    fn a_namespace_is_one_label() {
        assert!(Grammar::Label.accepts("kube-system") && Grammar::Label.accepts(&"a".repeat(63)));
        assert!(
            !Grammar::Label.accepts("a.b") && !Grammar::Label.accepts(&"a".repeat(64)) && !Grammar::Label.accepts("")
        );
    }

    #[test]
    fn a_text_is_counted_in_characters() {
        assert!(Grammar::Text.accepts(&"é".repeat(253)) && !Grammar::Text.accepts(&"é".repeat(254)));
        assert!(Grammar::Text.accepts("any: text!") && !Grammar::Text.accepts(""));
    }

    #[test]
    fn the_kind_decides_about_its_names() {
        assert_eq!(Grammar::of("Service"), Grammar::Label);
        assert_eq!(Grammar::of("Deployment"), Grammar::Subdomain);
        assert_eq!(Grammar::of("KafkaConsumerGroup"), Grammar::Text);
    }

    #[test]
    fn an_object_of_the_api_has_the_name_of_its_kind_or_a_path_segment() {
        assert_eq!(Grammar::of_object("Service", true), Grammar::Label);
        assert_eq!(Grammar::of_object("Service", false), Grammar::Subdomain, "a custom resource");
        assert_eq!(Grammar::of_object("Node", false), Grammar::Subdomain);
        assert_eq!(Grammar::of_object("ClusterRole", false), Grammar::PathSegment);
        for name in ["system:node", "a b", "é", "A_b", "...", &"a".repeat(253)] {
            assert!(Grammar::PathSegment.accepts(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a%2Fb", "a\nb", "\0", &"a".repeat(254)] {
            assert!(!Grammar::PathSegment.accepts(name), "{name:?}");
        }
    }

    #[test]
    fn a_kind_of_the_api_is_a_label_in_any_case() {
        for kind in ["Node", "EtcdV3", "widget", "my-kind", "A"] {
            assert!(is_api_kind(kind), "{kind}");
        }
        for kind in ["", "3d", "-a", "a-", "a b", "A:B", "a/b", "a.b", "Ä", "a\n", &"A".repeat(64)] {
            assert!(!is_api_kind(kind), "{kind:?}");
        }
    }

    #[test]
    fn a_kind_begins_with_a_capital() {
        assert!(is_kind("Node") && is_kind("HorizontalPodAutoscaler") && is_kind("Etcd3"));
        for kind in ["", "node", "Pod Security", "A:B", "Ä", &"A".repeat(64)] {
            assert!(!is_kind(kind), "{kind}");
        }
    }
}
