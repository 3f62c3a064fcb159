//! The plugin's configuration.

use serde::Deserialize;
use thiserror::Error;

/// The limit of a body unless configured otherwise: 5 MiB, as in the sidecar and in the Envoy configurations.
pub const DEFAULT_MAX_BODY_BYTES: u32 = 5 * 1024 * 1024;

/// The largest limit that can be configured: 64 MiB. A body is held and parsed whole in the VM's memory, of which Envoy
/// allows 1 GiB, and nothing interrupts a VM that is busy.
pub const MAX_BODY_BYTES_CEILING: u32 = 64 * 1024 * 1024;

/// The plugin's configuration. A field that is not given has its default; one that is not known is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The largest body, in bytes, that is read; a larger one is answered 413. At least 1, at most
    /// [`MAX_BODY_BYTES_CEILING`].
    pub max_body_bytes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config { max_body_bytes: DEFAULT_MAX_BODY_BYTES }
    }
}

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// Something else than a JSON object.
    #[error(
        "the plugin configuration is no JSON object; write {{\"max_body_bytes\": {DEFAULT_MAX_BODY_BYTES}}}, or leave it out"
    )]
    NoObject,
    /// No JSON, a field that is not known, or a value of the wrong type.
    #[error("cannot read the plugin configuration: {0}. Correct it, or leave it out to have the defaults")]
    Json(#[from] serde_json::Error),
    /// A limit that is not usable.
    #[error("max_body_bytes is {0}; set it to 1 or more, and to {MAX_BODY_BYTES_CEILING} at most")]
    MaxBodyBytes(u32),
}

impl Config {
    /// Reads a configuration from JSON. Nothing at all means the defaults.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn from_json(json: &[u8]) -> Result<Config, ConfigError> {
        match json.trim_ascii_start().first() {
            None => return Ok(Config::default()),
            Some(b'{') => {}
            // Looked for here: serde would take an array for a struct, and an empty one for the defaults.
            Some(_) => return Err(ConfigError::NoObject),
        }
        let config: Config = serde_json::from_slice(json)?;
        match config.max_body_bytes {
            1..=MAX_BODY_BYTES_CEILING => Ok(config),
            unusable => Err(ConfigError::MaxBodyBytes(unusable)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, DEFAULT_MAX_BODY_BYTES};

    fn refusal(json: &str) -> String {
        Config::from_json(json.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn no_configuration_means_the_defaults() {
        for json in ["", " \n", "{}"] {
            assert_eq!(Config::from_json(json.as_bytes()).unwrap().max_body_bytes, DEFAULT_MAX_BODY_BYTES);
        }
    }

    #[test]
    fn the_limit_can_be_set() {
        let config = Config::from_json(br#"{"max_body_bytes": 1024}"#).unwrap();
        assert_eq!(config, Config { max_body_bytes: 1024 });
    }

    #[test]
    fn an_unknown_field_is_refused_by_its_name() {
        let refusal = refusal(r#"{"max_body_byte": 1}"#);
        assert!(refusal.contains("`max_body_byte`") && refusal.contains("`max_body_bytes`"), "{refusal}");
    }

    #[test]
    fn a_limit_of_the_wrong_type_or_size_is_refused() {
        assert!(refusal(r#"{"max_body_bytes": "1"}"#).contains("line 1 column 22"));
        assert!(refusal(r#"{"max_body_bytes": -1}"#).contains("-1"));
        assert!(refusal(r#"{"max_body_bytes": 0}"#).contains("set it to 1 or more"));
        assert!(refusal(r#"{"max_body_bytes": 67108865}"#).contains("67108864 at most"));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for json in ["null", "5242880", "[]", "[1]", "\u{0}"] {
            assert!(refusal(json).contains(r#"no JSON object; write {"max_body_bytes": 5242880}"#), "{json}");
        }
        assert!(refusal("{").contains("line 1 column 1"));
    }
}
