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
    of_commit("HEAD", name)
}

/// The hash of the commit that is checked out now.
///
/// # Errors
/// If git does not say.
pub(crate) fn head() -> Result<String> {
    hash_of("HEAD")?.context("git has no HEAD")
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
    if hash_of(commit)?.is_none() {
        eprintln!("== Fetching the history, which a shallow clone lacks");
        run(git(&["fetch", "--quiet", "--unshallow"]))?;
    }
    let hash = hash_of(commit)?.with_context(|| format!("git has no commit {commit}"))?;
    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet", "--no-hardlinks", "--no-checkout"]).arg(root()).arg(&copy);
    run(clone)?;
    let mut checkout = Command::new("git");
    checkout.arg("-C").arg(&copy).args(["-c", "advice.detachedHead=false", "checkout", "--quiet", &hash]);
    run(checkout)?;
    Ok(copy)
}

/// The hash of a commit that is there.
fn hash_of(commit: &str) -> Result<Option<String>> {
    let found = git(&["rev-parse", "--verify", "--quiet", &format!("{commit}^{{commit}}")]).output();
    let found = found.context("cannot run git")?;
    Ok(found.status.success().then(|| String::from_utf8_lossy(&found.stdout).trim().to_owned()))
}

fn git(arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(root()).args(arguments);
    git
}

/// Cargo's home, where the sources of dependencies are.
pub(crate) fn cargo_home() -> Result<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    set.or_else(usual).context("no cargo home: set CARGO_HOME or HOME")
}
