//! A short hash of the configuration in use: replicas that show the same one run with the same settings.

use sha2::{Digest, Sha256};

use super::sections::Config;

/// Bytes of the hash that are shown, each as two hex digits.
const SHOWN: usize = 6;

impl Config {
    /// The first 12 hex digits of the SHA-256 of the effective configuration: as JSON, with the profile and the defaults
    /// applied. It has no secrets, which are in files that it names. Versions with other keys have other digests.
    pub fn digest(&self) -> String {
        // Serializing text, numbers and paths that were read from YAML cannot fail.
        let json = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(json).iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn equal_configurations_have_one_digest_however_they_are_written() {
        let written = Config::parse("limits: {deadline: 8s}\n").unwrap();
        assert_eq!(written.digest(), Config::default().digest());
        assert_eq!(written.digest().len(), 12);
        assert!(written.digest().bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn another_value_or_another_rule_is_another_digest() {
        let digests = ["", "limits: {deadline: 7s}", "targets: {ignore: [{severity: info}]}", "profile: kubernaut"]
            .map(|yaml| Config::parse(yaml).unwrap().digest());
        let distinct: std::collections::BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), 4, "{digests:?}");
    }
}
