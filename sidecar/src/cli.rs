//! The command line.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use crate::check_config::CheckConfigArgs;
use crate::config::{Config, ConfigError, ConfigProblem};
use crate::doctor::{DoctorArgs, Inspected};
use crate::explain::ExplainArgs;
use crate::install_filter::InstallFilterArgs;
use crate::send_test::SendTestArgs;

/// Where the chart mounts the configuration: the commands that an operator runs in a replica's container read it there.
const IN_CONTAINER: &str = "/etc/onceway/onceway.yaml";

/// Turns every storm of alerts into exactly one RemediationRequest per incident.
///
/// Receives signals from Envoy. Requires a cluster (KUBECONFIG or the pod's service account) and the environment variables
/// POD_NAME and POD_NAMESPACE (set by the downward API in a pod).
#[derive(Debug, Parser)]
#[command(name = "onceway", version)]
pub struct Args {
    /// Configuration file (YAML); every key has a default
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Print the default configuration with every key documented, then exit
    #[arg(long)]
    pub print_default_config: bool,
    /// Print the configuration in use, of --config and its profile, with every key documented, then exit
    #[arg(long)]
    pub print_config: bool,
    /// What to do instead of running a replica
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do instead of running a replica.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Explain what would become of alerts and events.
    Explain(ExplainArgs),
    /// Copy the filter's module into a directory, for an Envoy that mounts it.
    InstallFilter(InstallFilterArgs),
    /// Check a configuration: every error with its key, what differs from the defaults, and its hashes.
    CheckConfig(CheckConfigArgs),
    /// Check the configuration, the cluster, Envoy's filter and the replicas. Changes nothing.
    Doctor(DoctorArgs),
    /// Send a marked test signal, follow it to its RemediationRequest, show the way with times, and clean up.
    SendTest(SendTestArgs),
}

impl Args {
    /// Whether a configuration file is named.
    #[must_use]
    pub const fn has_configuration(&self) -> bool {
        self.config.is_some()
    }

    /// The configuration: from the file, or the defaults.
    ///
    /// # Errors
    /// [`ConfigError`] if the file cannot be read or is not valid.
    pub fn configuration(&self) -> Result<Config, ConfigError> {
        self.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)
    }

    /// The configuration for an operator's command, with all that is wrong with it: from the file, else that of the replica whose
    /// container this is, else the defaults.
    pub fn inspected(&self) -> Inspected {
        let in_container = Some(Path::new(IN_CONTAINER)).filter(|path| path.is_file());
        let Some(path) = self.config.as_deref().or(in_container) else {
            return Inspected { name: "the default configuration".to_owned(), config: Ok(Config::default()) };
        };
        let config = match std::fs::read_to_string(path) {
            Ok(text) => Config::inspect(&text),
            Err(source) => {
                let error = ConfigError::Read { path: path.to_owned(), source };
                Err(vec![ConfigProblem { key: None, message: error.to_string() }])
            }
        };
        Inspected { name: path.display().to_string(), config }
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
    fn without_a_file_every_key_has_its_default() {
        assert_eq!(Args::parse_from(["onceway"]).configuration().unwrap(), Config::default());
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it() {
        let args = Args::parse_from(["onceway", "--config", "/nowhere/onceway.yaml"]);
        assert!(args.configuration().unwrap_err().to_string().contains("/nowhere/onceway.yaml"));
    }

    #[test]
    fn an_unknown_argument_is_rejected() {
        assert!(Args::try_parse_from(["onceway", "--no-locking"]).is_err());
    }
}
