//! Running programs, with a line before and after each long one.

use std::env;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

/// A step that takes long enough to be announced.
pub(crate) struct Step(&'static str);

impl Step {
    /// Announces it.
    pub(crate) fn new(what: &'static str) -> Self {
        eprintln!("== {what}");
        Self(what)
    }

    /// Runs the program that it consists of.
    pub(crate) fn run(self, command: Command) -> Result<()> {
        let began = SystemTime::now();
        run(command).context(self.0)?;
        eprintln!("== {}: {} s", self.0, began.elapsed().unwrap_or_default().as_secs());
        Ok(())
    }
}

/// The cargo that runs us, in the workspace, without what it told us about this very package: build scripts that look at
/// such variables would run again, and half of all dependencies be compiled again, each time that xtask and a person who
/// calls cargo take turns.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    const OF_A_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if OF_A_PACKAGE.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo.current_dir(root()).args(arguments);
    cargo
}

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Runs a program to its end.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let status = match command.status() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("{program} is not installed"),
        other => other.with_context(|| format!("cannot run {program}"))?,
    };
    if status.success() {
        return Ok(());
    }
    let arguments: Vec<_> = command.get_args().map(|argument| argument.display().to_string()).collect();
    bail!("`{program} {}` failed ({status})", arguments.join(" "))
}
