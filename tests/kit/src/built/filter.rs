//! The filter's module as a file: the one that ships, built if it is not up to date.

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

/// The variable that names a module to take as it is.
const VARIABLE: &str = "ONCEWAY_FILTER_WASM";

/// The build that ships: profile, and further arguments.
const SHIPPED: (&str, &[&str]) = ("wasm", &[]);
/// The build that traps where a request's header `x-trap` asks for it, to see what a proxy does then.
const TRAPPING: (&str, &[&str]) = ("wasm-trap", &["--features", "trap"]);

/// The path of a module that traps where a request's header `x-trap` asks for it: at the end of its body (`body`), or at
/// the reply to a part (`reply`).
///
/// # Errors
/// If it cannot be built; the message says what is missing.
pub fn trapping() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(|| build(TRAPPING))
}

/// The path of the module: what `$ONCEWAY_FILTER_WASM` names, else what cargo builds in the profile that ships. Asks cargo
/// once per process, which costs next to nothing where the module is up to date.
///
/// # Errors
/// If it cannot be built; the message says what is missing.
pub fn path() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(find_or_build)
}

fn find_or_build() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
        ensure!(path.is_file(), "{VARIABLE} names {}, which is no file", path.display());
        return Ok(path);
    }
    build(SHIPPED)
}

fn build((profile, arguments): (&str, &[&str])) -> Result<PathBuf> {
    let output = tool("CARGO", "cargo")
        .args(["build", "--package", "onceway-filter", "--profile", profile, "--target", TARGET])
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        // Flags are meant for the tests' own target, like those that measure coverage.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo to build the filter")?;
    if !output.status.success() {
        ensure!(has_target(), "the filter's target is not installed: rustup target add {TARGET}");
        bail!("cargo could not build the filter ({}); it says why above", output.status);
    }
    // Cargo says itself where the module lies: the target folder may be anywhere.
    let messages = String::from_utf8_lossy(&output.stdout);
    let module =
        messages.lines().filter_map(|line| serde_json::from_str(line).ok()).find_map(|message| module(&message));
    module.context("cargo built the filter and named no .wasm")
}

/// The module in one of cargo's messages, if it is about that.
fn module(message: &Value) -> Option<PathBuf> {
    let files = message["filenames"].as_array().filter(|_| message["target"]["name"] == "onceway_filter")?;
    files.iter().filter_map(Value::as_str).map(PathBuf::from).find(|file| file.extension() == Some("wasm".as_ref()))
}

fn has_target() -> bool {
    let output = tool("RUSTC", "rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// A tool of the toolchain that runs us, started in the workspace.
fn tool(variable: &str, name: &str) -> Command {
    let mut command = Command::new(env::var_os(variable).unwrap_or_else(|| OsString::from(name)));
    command.current_dir(repository());
    command
}
