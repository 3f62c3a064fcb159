//! The sidecar's program: the one that ships, built if it is not up to date.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::cluster::deploy::repository;

/// The variable that names a program to take as it is.
const VARIABLE: &str = "ONCEWAY_BIN";

/// The path of the program: what `$ONCEWAY_BIN` names, else what cargo builds in the release profile. Asks cargo once per
/// process, which costs next to nothing where the program is up to date, so that no test runs yesterday's.
///
/// # Errors
/// If it cannot be built.
pub fn sidecar() -> Result<PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let path = PATH.get_or_init(|| find_or_build().map_err(|error| format!("{error:#}")));
    path.clone().map_err(|error| anyhow!(error))
}

fn find_or_build() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
        ensure!(path.is_file(), "{VARIABLE} names {}, which is no file", path.display());
        return Ok(path);
    }
    let output = cargo()
        .args(["build", "--release", "--package", "onceway", "--bin", "onceway"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(repository())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo to build the sidecar")?;
    ensure!(output.status.success(), "cargo could not build the sidecar ({}); it says why above", output.status);
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(executable);
    executables.next_back().context("cargo built the sidecar and named no program")
}

/// The cargo that runs us, without what it told us about this package: build scripts that look at such variables would
/// run again, and half of all dependencies be compiled again, each time that a test and a person take turns.
fn cargo() -> Command {
    const OF_A_PACKAGE: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if OF_A_PACKAGE.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The program that one of cargo's messages names.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    message["executable"].as_str().map(PathBuf::from)
}
