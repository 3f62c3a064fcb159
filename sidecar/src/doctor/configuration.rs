//! The configuration itself.

use super::finding::{Finding, counted};
use crate::config::{AuthMode, Config, ConfigProblem};

/// A configuration, and where it is from.
pub struct Inspected {
    /// The file, or what stands for it.
    pub name: String,
    /// The configuration, or all that is wrong with it.
    pub config: Result<Config, Vec<ConfigProblem>>,
}

/// What follows.
pub(super) fn judge(Inspected { name, config }: &Inspected) -> Finding {
    let config = match config {
        Ok(config) => config,
        Err(problems) => {
            let summary = format!("{name} is not valid, {}", counted(problems.len(), "error"));
            let action =
                "correct it (onceway --print-default-config shows every key): a replica does not start with it";
            let line = |problem: &ConfigProblem| match &problem.key {
                Some(key) => format!("{key}: {}", problem.message),
                None => problem.message.clone(),
            };
            return Finding::fail(summary, action).about(problems.iter().map(line));
        }
    };
    let differing = match config.differences().len() {
        0 => "every key has its default".to_owned(),
        number => format!("{} not the default", counted(number, "key")),
    };
    let summary = format!(
        "{name} is valid, {differing}; config hash {}, targets hash {}",
        config.digest(),
        config.targets.hash()
    );
    if config.auth.mode == AuthMode::None {
        let action = "set auth.mode: kubernetes (docs/senders.md), unless something in front authenticates senders";
        let summary = format!("{summary}; auth.mode is none: whoever reaches the signal port can start repairs");
        return Finding::warn(summary, action);
    }
    Finding::pass(summary)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::{Finding, Inspected, judge};
    use crate::config::Config;

    fn judged(yaml: &str) -> Finding {
        judge(&Inspected { name: "onceway.yaml".into(), config: Config::inspect(yaml) })
    }

    #[test]
    fn a_valid_configuration_shows_its_hashes_and_an_open_one_is_a_warning() {
        let finding = judged("limits: {deadline: 7s}");
        let digest = Config::parse("limits: {deadline: 7s}").unwrap().digest();
        assert!(finding.status == Status::Pass && finding.summary.contains("1 key not the default"), "{finding:?}");
        assert!(finding.summary.contains(&digest), "{finding:?}");
        assert_eq!(judged("auth: {mode: none}").status, Status::Warn);
    }

    #[test]
    fn a_broken_configuration_is_a_failure_with_every_error() {
        let finding = judged("lease: {duration: 1s}\nlimits: {maxConnections: 0}");
        assert_eq!((finding.status, finding.items.len()), (Status::Fail, 2));
        assert!(finding.items.iter().any(|item| item.starts_with("lease.duration: is 1s")), "{finding:?}");
    }
}
