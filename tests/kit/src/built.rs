//! Finds or builds our own programs that tests run: the shipped sidecar, the clock library, the filter's module.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::cluster::deploy::repository;

pub mod filter;
pub mod images;
pub mod page;

/// A path that is found, or whose file is built, once per process.
#[derive(Default)]
pub struct Once(OnceLock<Result<PathBuf, String>>);

impl Once {
    /// A path that is not looked for yet.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The path; `find` runs at the first call only.
    ///
    /// # Errors
    /// That of the first call.
    pub fn get(&self, find: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
        let path = self.0.get_or_init(|| find().map_err(|error| format!("{error:#}")));
        path.clone().map_err(|error| anyhow!(error))
    }
}

/// The sidecar: `$ONCEWAY_BIN`, else what cargo builds in the release profile. Runs cargo once per process, so that no
/// test runs an outdated program; that is fast if it is up to date.
///
/// # Errors
/// If it cannot be built.
pub fn sidecar() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(|| program("ONCEWAY_BIN", "onceway", "onceway"))
}

/// The sidecar of the previous version, which `cargo xtask test` builds.
///
/// # Errors
/// If no variable names it.
pub fn previous_sidecar() -> Result<PathBuf> {
    previous("ONCEWAY_PREVIOUS_BIN")
}

/// The filter's module of the previous version, which `cargo xtask test` builds.
///
/// # Errors
/// If no variable names it.
pub fn previous_filter() -> Result<PathBuf> {
    previous("ONCEWAY_PREVIOUS_FILTER_WASM")
}

fn previous(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    let path =
        path.with_context(|| format!("{variable} is not set: `cargo xtask test` builds the previous version"))?;
    ensure!(path.is_file(), "{variable} is {}, which is not a file", path.display());
    Ok(path)
}

/// The program `bin` of `package`: what `variable` names, else what cargo builds. Runs cargo at each call.
///
/// # Errors
/// If it cannot be built.
pub fn program(variable: &str, package: &str, bin: &str) -> Result<PathBuf> {
    find_or_build(variable, &["--package", package, "--bin", bin], executable)
}

/// The library behind [`Clock`](crate::clock::Clock): `$ONCEWAY_CLOCK`, else what cargo builds.
///
/// # Errors
/// If it cannot be built.
pub fn clock() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(|| find_or_build("ONCEWAY_CLOCK", &["--package", "onceway-clock"], library))
}

/// Takes the file that the variable names as it is; `artifact` finds the path in one of cargo's messages.
fn find_or_build(variable: &str, what: &[&str], artifact: fn(&str) -> Option<PathBuf>) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        ensure!(path.is_file(), "{variable} is {}, which is not a file", path.display());
        return Ok(path);
    }
    let output = cargo()
        .args(["build", "--release", "--message-format=json-render-diagnostics"])
        .args(what)
        .current_dir(repository())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    let what = what.join(" ");
    ensure!(output.status.success(), "cargo failed to build {what} ({}); see its output above", output.status);
    let messages = String::from_utf8_lossy(&output.stdout);
    messages
        .lines()
        .filter_map(artifact)
        .next_back()
        .with_context(|| format!("cargo built {what} but reported no file"))
}

/// The cargo that runs us, without the variables that it sets for this package: build scripts that depend on them would
/// run again, and half of all dependencies be recompiled, whenever a test and a person alternate.
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
