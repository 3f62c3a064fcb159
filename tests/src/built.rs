//! What runs in other processes, built if it is not up to date: the sidecar's program, the one that ships, and its clock.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::cluster::deploy::repository;

/// The variable that names the sidecar of [`before`].
pub const BEFORE: &str = "ONCEWAY_BEFORE";

/// The path of the program: what `$ONCEWAY_BIN` names, else what cargo builds in the release profile. Asks cargo once per
/// process, which costs next to nothing where the program is up to date, so that no test runs yesterday's.
///
/// # Errors
/// If it cannot be built.
pub fn sidecar() -> Result<PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&PATH, || find_or_build("ONCEWAY_BIN", &["--package", "onceway", "--bin", "onceway"], executable))
}

/// The path of the sidecar that a change is measured against: what `$ONCEWAY_BEFORE` names.
///
/// # Errors
/// If it names nothing.
pub fn before() -> Result<PathBuf> {
    let path = env::var_os(BEFORE).map(PathBuf::from);
    let path = path.with_context(|| format!("set {BEFORE} to a sidecar that was built before the change"))?;
    ensure!(path.is_file(), "{BEFORE} names {}, which is no file", path.display());
    Ok(path)
}

/// The path of the baseline's program: what `$ONCEWAY_BASELINE` names, else what cargo builds.
///
/// # Errors
/// If it cannot be built.
pub fn baseline() -> Result<PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let what = ["--package", "onceway-tests", "--bin", "baseline"];
    once(&PATH, || find_or_build("ONCEWAY_BASELINE", &what, executable))
}

/// The path of the library that gives a sidecar a clock of its own: what `$ONCEWAY_CLOCK` names, else what cargo builds.
///
/// # Errors
/// If it cannot be built.
pub fn clock() -> Result<PathBuf> {
    static PATH: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&PATH, || find_or_build("ONCEWAY_CLOCK", &["--package", "onceway-clock"], library))
}

fn once(path: &OnceLock<Result<PathBuf, String>>, find: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
    let path = path.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    path.clone().map_err(|error| anyhow!(error))
}

/// What the variable names is taken as it is; `artifact` finds the path in one of cargo's messages.
fn find_or_build(variable: &str, what: &[&str], artifact: fn(&str) -> Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        ensure!(path.is_file(), "{variable} names {}, which is no file", path.display());
        return Ok(path);
    }
    let output = cargo()
        .args(["build", "--release", "--message-format=json-render-diagnostics"])
        .args(what)
        .current_dir(repository())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo to build what is tested")?;
    let what = what.join(" ");
    ensure!(output.status.success(), "cargo could not build {what} ({}); it says why above", output.status);
    let messages = String::from_utf8_lossy(&output.stdout);
    messages.lines().filter_map(artifact).next_back().with_context(|| format!("cargo built {what} and named no file"))
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

/// The dynamic library that one of cargo's messages names.
fn library(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let files = message["filenames"].as_array().filter(|_| message["target"]["kind"][0] == "cdylib")?;
    files
        .iter()
        .filter_map(Value::as_str)
        .map(PathBuf::from)
        .find(|path| path.extension().is_some_and(|end| end == "so"))
}
