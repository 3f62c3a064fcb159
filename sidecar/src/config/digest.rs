//! A short hash of a configuration, to compare replicas by.

use sha2::{Digest, Sha256};

use super::sections::Config;

/// Digits of a short hash.
const DIGITS: usize = 12;

impl Config {
    /// The first 12 hexadecimal digits of the SHA-256 of the configuration in use, defaults included, as JSON. It holds no secrets:
    /// tokens and keys are in files, which the configuration names.
    pub fn digest(&self) -> String {
        // Maps and sets of a configuration are ordered, and nothing in it cannot be written as JSON.
        let json = serde_json::to_vec(self).unwrap_or_default();
        let hex: String = Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect();
        short(&hex).to_owned()
    }
}

/// The first 12 digits of a hash.
pub fn short(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::short;
    use crate::config::Config;

    #[test]
    fn equal_configurations_have_the_same_digest_however_they_are_written() {
        let written = Config::parse("limits:\n  deadline: 8000ms\nlog: {level: info}\n").unwrap();
        assert_eq!(written.digest(), Config::default().digest());
        let other = Config::parse("limits: {deadline: 7s}").unwrap();
        assert_ne!(other.digest(), Config::default().digest());
        assert_eq!((other.digest().len(), short("abc")), (12, "abc"));
    }

    #[test]
    fn another_value_or_another_rule_is_another_digest() {
        let digests = ["", "limits: {deadline: 7s}", "targets: {ignore: [{severity: info}]}", "profile: kubernaut"]
            .map(|yaml| Config::parse(yaml).unwrap().digest());
        let distinct: BTreeSet<_> = digests.iter().collect();
        assert_eq!(distinct.len(), 4, "{digests:?}");
    }
}
