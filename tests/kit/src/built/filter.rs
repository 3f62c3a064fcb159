//! The filter's module: the shipped build, built if it is not up to date.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Once;
use crate::cluster::deploy::repository;

/// The target that the filter is built for.
const TARGET: &str = "wasm32-wasip1";

/// The variable that names a module to use as it is.
const VARIABLE: &str = "ONCEWAY_FILTER_WASM";
/// The same for the module that does nothing.
const IDLE_VARIABLE: &str = "ONCEWAY_IDLE_FILTER_WASM";

/// A build of a module: package, profile and further arguments.
type Build = (&'static str, &'static str, &'static [&'static str]);

/// The shipped build.
const SHIPPED: Build = ("onceway-filter", "wasm", &[]);
/// The build that traps on a request header `x-trap`, to test what Envoy does then.
const TRAPPING: Build = ("onceway-filter", "wasm-trap", &["--features", "trap"]);
/// A filter that does nothing.
const IDLE: Build = ("onceway-idle-filter", "wasm", &[]);

/// A module that does nothing, for comparison: what cargo builds. Runs cargo once per process.
///
/// # Errors
/// If it cannot be built; the error names what is missing.
pub fn idle() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(|| find_or_build(IDLE_VARIABLE, IDLE))
}

/// A module that traps on a request header `x-trap`: at the end of the request's body (`body`), or at a sub-response
/// (`reply`).
///
/// # Errors
/// If it cannot be built; the error names what is missing.
pub fn trapping() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(|| build(TRAPPING))
}

/// The module: `$ONCEWAY_FILTER_WASM`, else what cargo builds in the shipped profile. Runs cargo once per process.
///
/// # Errors
/// If it cannot be built; the error names what is missing.
pub fn path() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(|| find_or_build(VARIABLE, SHIPPED))
}

fn find_or_build(variable: &str, shape: Build) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from) {
        ensure!(path.is_file(), "{variable} is {}, which is not a file", path.display());
        return Ok(path);
    }
    build(shape)
}

fn build((package, profile, arguments): Build) -> Result<PathBuf> {
    let output = tool("CARGO", "cargo")
        .args(["build", "--package", package, "--profile", profile, "--target", TARGET])
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        // Such flags are for the tests' own target, for example those for coverage.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo to build the filter")?;
    if !output.status.success() {
        ensure!(has_target(), "the filter's target is not installed: rustup target add {TARGET}");
        bail!("cargo failed to build the filter ({}); see its output above", output.status);
    }
    // Cargo reports the path: the target folder may be anywhere.
    let messages = String::from_utf8_lossy(&output.stdout);
    let module = messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .find_map(|message| module(package, &message));
    module.context("cargo built the filter but reported no .wasm")
}

/// The module's path, if this message of cargo's is about the module of this package.
fn module(package: &str, message: &Value) -> Option<PathBuf> {
    let name = package.replace('-', "_");
    let files = message["filenames"].as_array().filter(|_| message["target"]["name"] == *name)?;
    files.iter().filter_map(Value::as_str).map(PathBuf::from).find(|file| file.extension() == Some("wasm".as_ref()))
}

fn has_target() -> bool {
    let output = tool("RUSTC", "rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// A tool of the current toolchain, run in the workspace.
fn tool(variable: &str, name: &str) -> Command {
    let mut command = Command::new(env::var_os(variable).unwrap_or_else(|| OsString::from(name)));
    command.current_dir(repository());
    command
}
