//! Why a configuration is rejected.

use std::path::PathBuf;

/// Why a configuration is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not YAML, or has an unknown key or a value of the wrong type.
    #[error("invalid configuration (--print-default-config shows every key):\n{0}")]
    Parse(#[source] Box<serde_saphyr::Error>),
    /// A value is out of range.
    #[error("invalid configuration: {key} is {found}; it {rule}")]
    Range {
        /// The key, as a path.
        key: &'static str,
        /// Its value.
        found: String,
        /// The rule that it breaks: "must be ...".
        rule: String,
    },
}
