//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::config::{Config, ConfigError};

/// Turns every storm of alerts into exactly one RemediationRequest per incident.
///
/// Takes signals from Envoy, and needs a cluster (KUBECONFIG, or a pod's service account) and the environment variables
/// POD_NAME and POD_NAMESPACE (the downward API).
#[derive(Debug, Parser)]
#[command(name = "onceway", version)]
pub struct Args {
    /// The configuration, a YAML file; without it, everything has its default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the default configuration, every key explained, and leave
    #[arg(long)]
    pub print_default_config: bool,
}

impl Args {
    /// The configuration that was asked for.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read or is not valid.
    pub fn configuration(&self) -> Result<Config, ConfigError> {
        self.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Args;
    use crate::config::Config;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn without_a_file_everything_has_its_default() {
        assert_eq!(Args::parse_from(["onceway"]).configuration().unwrap(), Config::default());
    }

    #[test]
    fn a_file_that_is_not_there_is_refused() {
        let args = Args::parse_from(["onceway", "--config", "/nowhere/onceway.yaml"]);
        assert!(args.configuration().unwrap_err().to_string().contains("/nowhere/onceway.yaml"));
    }

    #[test]
    fn an_unknown_argument_is_refused() {
        assert!(Args::try_parse_from(["onceway", "--no-locking"]).is_err());
    }
}
