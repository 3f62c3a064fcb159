//! The compiler's targets.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use onceway_tools::run::run;

/// Installs `target` for the toolchain in use, if it is not installed: rustup installs the targets of rust-toolchain.toml
/// only together with a toolchain. `reason` says what needs it.
///
/// # Errors
/// If rustup cannot, or is not what the toolchain comes from.
pub(crate) fn install(target: &str, reason: &str) -> Result<()> {
    if is_installed(target) {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target]);
    eprintln!("== Installing the target {target}");
    run(rustup, &format!("{reason}, which needs rustup or a Rust with the target {target}"), |_| ())
        .with_context(|| reason.to_owned())?;
    ensure!(is_installed(target), "rustup installed {target}, but not for this rustc; is it a distribution's?");
    Ok(())
}

fn is_installed(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}
