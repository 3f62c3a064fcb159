//! Reads and checks a configuration.

use std::path::Path;

use super::error::ConfigError;
use super::profile::Profile;
use super::sections::Config;

impl Config {
    /// Reads and checks the configuration in the file `path`.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file, line or key and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// Reads and checks the configuration in `yaml`; missing keys get their defaults.
    ///
    /// # Errors
    /// [`ConfigError`], which names the line or key and what is wrong with it.
    pub fn parse(yaml: &str) -> Result<Self, ConfigError> {
        // A file of comments alone is YAML's null, and means the defaults.
        let config: Option<Self> = serde_saphyr::from_str(yaml).map_err(|error| ConfigError::Parse(Box::new(error)))?;
        let mut config = config.unwrap_or_default();
        if config.profile != Profile::None {
            let explicit = serde_saphyr::from_str(yaml).map_err(|error| ConfigError::Parse(Box::new(error)))?;
            config.apply_profile(&explicit);
        }
        config.check()?;
        Ok(config)
    }
}
