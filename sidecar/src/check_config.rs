//! `onceway check-config FILE`: what is wrong with a configuration, all at once, and what it changes. Without a cluster.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::config::{Config, ConfigProblem, Difference};
use crate::printable::printable;

/// The largest file, in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Check a configuration: every error with its key, what differs from the defaults, and its hashes.
///
/// Exits with 0 if the file is valid, with 2 if it is not or cannot be read. Needs no cluster.
#[derive(Debug, Args)]
pub struct CheckConfigArgs {
    /// Print one JSON object: valid, problems, differences, config, targets
    #[arg(long)]
    json: bool,
    /// Configuration file (YAML); `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What is found. This is the shape of `--json`; absent values are null.
#[derive(Debug, Serialize)]
struct Outcome {
    /// Whether a replica would start with it.
    valid: bool,
    /// What is wrong; empty if it is valid.
    problems: Vec<ConfigProblem>,
    /// What differs from the defaults; empty if it is not valid.
    differences: Vec<Difference>,
    /// The digest of the configuration.
    config: Option<String>,
    /// The hash of its target rules, the built-in ones included.
    targets: Option<String>,
}

impl CheckConfigArgs {
    /// Checks the file and writes what is found to `out`; returns whether it is valid.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn run(&self, out: &mut impl Write) -> io::Result<bool> {
        let inspected = match read(&self.file) {
            Ok(text) => Config::inspect(&text),
            Err(message) => Err(vec![ConfigProblem { key: None, message }]),
        };
        let outcome = Outcome::of(inspected);
        if self.json {
            serde_json::to_writer(&mut *out, &outcome)?;
            writeln!(out)?;
        } else {
            outcome.write(&self.file.display().to_string(), out)?;
        }
        Ok(outcome.valid)
    }
}

fn read(file: &Path) -> Result<String, String> {
    let failed = |error: io::Error| format!("cannot read {}: {error}", file.display());
    let input: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(file).map_err(failed)?)
    };
    let mut text = String::new();
    let length = input.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if length as u64 > MAX_FILE_BYTES {
        return Err(format!("{} is larger than {MAX_FILE_BYTES} bytes: it is no configuration", file.display()));
    }
    Ok(text)
}

impl Outcome {
    fn of(inspected: Result<Config, Vec<ConfigProblem>>) -> Self {
        match inspected {
            Ok(config) => Self {
                valid: true,
                problems: Vec::new(),
                differences: config.differences(),
                config: Some(config.digest()),
                targets: Some(config.targets.hash().to_owned()),
            },
            Err(problems) => Self { valid: false, problems, differences: Vec::new(), config: None, targets: None },
        }
    }

    fn write(&self, file: &str, out: &mut impl Write) -> io::Result<()> {
        if !self.valid {
            let number = self.problems.len();
            writeln!(out, "{file}: not valid, {number} error{}", if number == 1 { "" } else { "s" })?;
            for ConfigProblem { key, message } in &self.problems {
                match key {
                    Some(key) => writeln!(out, "  {}: {}", printable(key), printable(message))?,
                    // With the place in the file, over several lines.
                    None => message.lines().try_for_each(|line| writeln!(out, "  {}", printable(line)))?,
                }
            }
            return writeln!(out, "onceway --print-default-config shows every key with its meaning");
        }
        writeln!(out, "{file}: valid")?;
        match self.differences.len() {
            0 => writeln!(out, "every key has its default")?,
            1 => writeln!(out, "1 key differs from its default:")?,
            number => writeln!(out, "{number} keys differ from their defaults:")?,
        }
        for Difference { key, default, value } in &self.differences {
            writeln!(out, "  {}: {} (default {})", printable(key), shown(value), shown(default))?;
        }
        let hash = |hash: &Option<String>| hash.clone().unwrap_or_default();
        writeln!(out, "config hash  {}\ntargets hash {}", hash(&self.config), hash(&self.targets))
    }
}

/// A value as it would be written in one line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() => printable(text),
        other => printable(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};
    use tempfile::NamedTempFile;

    use super::CheckConfigArgs;
    use crate::config::Config;

    fn check(yaml: &str, json: bool) -> (bool, String) {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), yaml).unwrap();
        let mut out = Vec::new();
        let valid = CheckConfigArgs { json, file: file.path().to_owned() }.run(&mut out).unwrap();
        (valid, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_valid_file_shows_its_differences_and_hashes() {
        let yaml = "limits: {deadline: 6s}\ntargets: {ignore: [{severity: info}]}\n";
        let (valid, text) = check(yaml, false);
        assert!(
            valid && text.contains("2 keys differ from their defaults:\n  limits.deadline: 6s (default 8s)\n"),
            "{text}"
        );
        let config = Config::parse(yaml).unwrap();
        assert!(text.contains(&config.digest()) && text.contains(config.targets.hash()), "{text}");
        assert!(check("", false).1.contains("every key has its default"));
    }

    #[test]
    fn a_broken_file_shows_every_error_with_its_key() {
        let (valid, text) = check("limits: {maxBodyByte: 1, maxConnections: 0}\nlease: {duration: 1s}", false);
        assert!(!valid && text.contains("not valid, 3 errors"), "{text}");
        for line in
            ["  limits.maxBodyByte: unknown field", "  limits.maxConnections: is 0; it must", "  lease.duration: is 1s"]
        {
            assert!(text.contains(line), "{line}: {text}");
        }
        let (valid, text) = check("limits:\n  deadline: [", false);
        assert!(!valid && text.contains("not valid, 1 error\n") && text.contains("line"), "{text}");
    }

    #[test]
    fn the_json_has_the_documented_keys_whatever_is_found() {
        for (yaml, expected) in [("", true), ("lease: {duration: 1s}", false)] {
            let (valid, text) = check(yaml, true);
            let value: Value = serde_json::from_str(&text).unwrap();
            let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            assert_eq!(keys, ["config", "differences", "problems", "targets", "valid"]);
            assert_eq!((valid, &value["valid"]), (expected, &json!(expected)));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_valid_and_named() {
        let mut out = Vec::new();
        assert!(!CheckConfigArgs { json: false, file: "/nowhere/onceway.yaml".into() }.run(&mut out).unwrap());
        assert!(String::from_utf8(out).unwrap().contains("cannot read /nowhere/onceway.yaml"));
    }
}
