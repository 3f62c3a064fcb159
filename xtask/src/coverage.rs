//! Line coverage of the shipped crates by their own tests, measured by cargo-llvm-cov.
//!
//! End-to-end tests are left out: they run the whole program, so they also run lines whose result no test checks.

use std::env;

use anyhow::{Result, ensure};

use crate::cargo::cargo;
use crate::run::run as run_program;

/// The packages that are measured.
const PACKAGES: [&str; 3] = ["onceway-signal", "onceway-claim", "onceway"];
/// Modules under `#[cfg(test)]`, which would raise the figure. cargo-llvm-cov itself leaves out `tests.rs` and
/// `tests/`.
const TEST_MODULES: &str = r"/(deploy|doubles|interleavings)(\.rs$|/)";
/// The least line coverage, in percent.
const MIN_PERCENT: &str = "90";
/// Tells cargo-llvm-cov whether to install missing LLVM tools without asking.
const SETUP: &str = "CARGO_LLVM_COV_SETUP";

/// Runs the tests and prints the coverage of each file and its missing lines. An error if the total is below the
/// minimum.
pub(crate) fn run() -> Result<()> {
    let found = cargo(&["llvm-cov", "--version"]).output().is_ok_and(|output| output.status.success());
    ensure!(
        found,
        "cargo-llvm-cov is not installed; install it with:\n  cargo install cargo-llvm-cov --locked\n  rustup component add \
         llvm-tools"
    );
    let mut command = cargo(&["llvm-cov", "--locked", "--lib", "--bins", "--tests", "--show-missing-lines"]);
    command.args(["--fail-under-lines", MIN_PERCENT, "--ignore-filename-regex", TEST_MODULES]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    if env::var_os(SETUP).is_none() {
        // By default it asks on the terminal and waits. "no" makes it fail and name the command to run.
        command.env(SETUP, "no");
    }
    run_program(command)
}
