//! The commit that the tree is of.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::cargo::root;

/// A commit.
pub(crate) struct Commit {
    /// Its hash, with `-dirty` if files that git knows differ from it.
    pub(crate) revision: String,
    /// Its time, in seconds since 1970.
    pub(crate) seconds: String,
}

/// The commit of the tree; none if the tree is no repository, as in an archive of the sources.
///
/// # Errors
/// If git fails.
pub(crate) fn commit() -> Result<Option<Commit>> {
    if !root().join(".git").exists() {
        return Ok(None);
    }
    let head = git(&["show", "--no-patch", "--format=%H %ct", "HEAD"])?;
    let Some((hash, seconds)) = head.trim().split_once(' ') else { anyhow::bail!("git shows no HEAD: {head}") };
    let dirty = !git(&["status", "--porcelain", "--untracked-files=no"])?.trim().is_empty();
    let revision = if dirty { format!("{hash}-dirty") } else { hash.to_owned() };
    Ok(Some(Commit { revision, seconds: seconds.to_owned() }))
}

fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).current_dir(root()).output();
    let output = output.map_err(|error| anyhow::anyhow!("cannot run git, which says what commit this is: {error}"))?;
    ensure!(output.status.success(), "git {arguments:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
