//! The section `scope` of the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::ConfigError;

/// Characters of the part of a label's key before the slash, and of the part after it.
const MAX_PREFIX: usize = 253;
const MAX_NAME: usize = 63;

/// Which targets may be remediated at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Scope {
    /// A label, such as kubernaut.ai/managed: an incident begins only if its target has it with the value true, or has it not
    /// and its namespace has. What is out of scope is answered 200 and rejected. null: everything is in scope. The sidecar then
    /// needs the rights to get, list and watch namespaces and, unless targets.resolve says otherwise, to read targets; it is
    /// not ready without them.
    pub label: Option<String>,
}

impl Scope {
    /// Checks every value against its range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Some(label) = &self.label else { return Ok(()) };
        if is_label_key(label) {
            return Ok(());
        }
        let rule = "must be the key of a label, such as kubernaut.ai/managed".to_owned();
        Err(ConfigError::Range { key: "scope.label", found: format!("{label:?}"), rule })
    }
}

fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let ends = |text: &str| is_end(text.bytes().next()) && is_end(text.bytes().last());
    let is_name = name.len() <= MAX_NAME
        && ends(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let is_prefix = |prefix: &str| {
        prefix.len() <= MAX_PREFIX
            && prefix.split('.').all(ends)
            && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    is_name && prefix.is_none_or(is_prefix)
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn a_label_is_the_key_of_one() {
        for label in ["kubernaut.ai/managed", "managed", "a.b-c.d/E_f.g-1"] {
            assert_eq!(
                Config::parse(&format!("scope: {{label: {label}}}")).unwrap().scope.label.as_deref(),
                Some(label)
            );
        }
        let long = "a".repeat(64);
        for label in
            ["''", "'a/b/c'", "'/a'", "'a/'", "'-a'", "'a b'", "'A.b/c'", "'a..b/c'", "'a=true'", "'a,b'", &long]
        {
            let error = Config::parse(&format!("scope: {{label: {label}}}")).unwrap_err().to_string();
            assert!(error.contains("invalid configuration: scope.label is "), "{label}: {error}");
        }
        assert_eq!(Config::default().scope.label, None);
    }
}
