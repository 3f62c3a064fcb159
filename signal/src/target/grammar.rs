//! Which texts are names: a label's value that is no valid name of its kind names nothing.

use crate::limits::{MAX_KIND, MAX_NAME, MAX_NAMESPACE};

/// Whether a text is a DNS label (RFC 1123), as the names of namespaces and services are.
pub(crate) fn is_dns_label(text: &str) -> bool {
    text.len() <= MAX_NAMESPACE && is_section(text.as_bytes())
}

/// Whether a text is a DNS subdomain (RFC 1123), as the names of most objects are.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= MAX_NAME && text.as_bytes().split(|byte| *byte == b'.').all(is_section)
}

/// Whether a text can be the kind of a Kubernetes object: letters and digits, a capital first.
pub(crate) fn is_kind(text: &str) -> bool {
    text.len() <= MAX_KIND
        && text.as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Lowercase letters, digits and inner hyphens, at least one character.
fn is_section(bytes: &[u8]) -> bool {
    let is_alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    bytes.first().is_some_and(is_alphanumeric)
        && bytes.last().is_some_and(is_alphanumeric)
        && bytes.iter().all(|byte| *byte == b'-' || is_alphanumeric(byte))
}

#[cfg(test)]
mod tests {
    use super::{is_dns_label, is_dns_subdomain, is_kind};

    #[test]
    fn names_follow_rfc_1123() {
        for name in ["a", "web-0", "10.0.0.33", "ip-10-0-3-17.eu-central-1.compute.internal", &"a".repeat(253)] {
            assert!(is_dns_subdomain(name), "{name}");
        }
        for name in ["", "-a", "a-", "a..b", ".a", "A", "a_b", "a b", "a/b", "a:1", "é", &"a".repeat(254)] {
            assert!(!is_dns_subdomain(name), "{name}");
        }
    }

    #[test]
    fn a_namespace_is_one_label() {
        assert!(is_dns_label("kube-system") && is_dns_label(&"a".repeat(63)));
        assert!(!is_dns_label("a.b") && !is_dns_label(&"a".repeat(64)) && !is_dns_label(""));
    }

    #[test]
    fn a_kind_begins_with_a_capital() {
        assert!(is_kind("Node") && is_kind("HorizontalPodAutoscaler") && is_kind("Etcd3"));
        for kind in ["", "node", "Pod Security", "A:B", "Ä", &"A".repeat(64)] {
            assert!(!is_kind(kind), "{kind}");
        }
    }
}
