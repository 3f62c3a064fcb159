//! Copies of the tree, for what must not depend on where it is, or would leave files in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo::{root, target_dir};
use crate::run::run;

/// The tree as it is committed, in a new directory of this name below cargo's target directory.
///
/// # Errors
/// If git cannot copy it.
pub(crate) fn of_head(name: &str) -> Result<PathBuf> {
    let copy = target_dir()?.join(name);
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet", "--no-hardlinks"]).arg(root()).arg(&copy);
    run(clone)?;
    Ok(copy)
}

/// Cargo's home, where the sources of dependencies are.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    set.or_else(usual).context("no cargo home: set CARGO_HOME or HOME")
}
