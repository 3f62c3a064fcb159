//! Copies of the tree, for what must not depend on where it is, or would leave files in it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cargo::{root, target_dir};
use crate::git::{command, hash_of};
use crate::run::run;

/// The tree as it is committed, in a new directory of this name below cargo's target directory.
///
/// # Errors
/// If git cannot copy it.
pub(crate) fn of_head(name: &str) -> Result<PathBuf> {
    of_commit("HEAD", name)
}

/// The hash of the commit that is checked out now.
///
/// # Errors
/// If git does not say.
pub(crate) fn head() -> Result<String> {
    hash_of(root(), "HEAD")?.context("git has no HEAD")
}

/// The tree as it was at `commit`, in a new directory of this name below cargo's target directory.
///
/// # Errors
/// If git cannot copy it.
pub(crate) fn of_commit(commit: &str, name: &str) -> Result<PathBuf> {
    let copy = target_dir()?.join(name);
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    if hash_of(root(), commit)?.is_none() {
        eprintln!("== Fetching the history, which a shallow clone lacks");
        run(command(root(), &["fetch", "--quiet", "--unshallow"]))?;
    }
    let hash = hash_of(root(), commit)?.with_context(|| format!("git has no commit {commit}"))?;
    let mut clone = command(root(), &["clone", "--quiet", "--no-hardlinks", "--no-checkout", "."]);
    clone.arg(&copy);
    run(clone)?;
    run(command(&copy, &["-c", "advice.detachedHead=false", "checkout", "--quiet", &hash]))?;
    Ok(copy)
}

/// Cargo's home, where the sources of dependencies are.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    set.or_else(usual).context("no cargo home: set CARGO_HOME or HOME")
}
