//! Runs the program that a command is about, with the terminal.

use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Runs a program to its end.
///
/// # Errors
/// If it cannot be started, or fails.
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
