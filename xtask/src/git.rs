//! The commit that a tree is of.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// A commit.
pub(crate) struct Commit {
    /// Its hash, with `-dirty` if files that git knows differ from it.
    pub(crate) revision: String,
    /// Its time, in seconds since 1970.
    pub(crate) seconds: String,
}

/// The commit that `tree` is of; none if it is no repository, as in an archive of the sources.
///
/// # Errors
/// If git fails.
pub(crate) fn commit(tree: &Path) -> Result<Option<Commit>> {
    if !tree.join(".git").exists() {
        return Ok(None);
    }
    let head = git(tree, &["show", "--no-patch", "--format=%H %ct", "HEAD"])?;
    let (hash, seconds) = head.trim().split_once(' ').with_context(|| format!("git shows no HEAD: {head}"))?;
    let dirty = !git(tree, &["status", "--porcelain", "--untracked-files=no"])?.trim().is_empty();
    let revision = if dirty { format!("{hash}-dirty") } else { hash.to_owned() };
    Ok(Some(Commit { revision, seconds: seconds.to_owned() }))
}

fn git(tree: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git").args(arguments).current_dir(tree).output();
    let output = output.context("cannot run git, which says what commit this is")?;
    ensure!(output.status.success(), "git {arguments:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::{commit, git};

    #[test]
    fn a_commit_is_that_of_the_tree_that_is_built_wherever_it_is() {
        let tree = tempdir().unwrap();
        assert!(commit(tree.path()).unwrap().is_none(), "an archive of the sources");
        let run = |arguments: &[&str]| git(tree.path(), arguments).unwrap();
        run(&["init", "--quiet"]);
        fs::write(tree.path().join("file"), "1").unwrap();
        run(&["add", "file"]);
        run(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--no-gpg-sign", "--message", "one"]);
        let clean = commit(tree.path()).unwrap().unwrap();
        assert_eq!(clean.revision, run(&["rev-parse", "HEAD"]).trim());
        fs::write(tree.path().join("file"), "2").unwrap();
        assert_eq!(commit(tree.path()).unwrap().unwrap().revision, format!("{}-dirty", clean.revision));
    }
}
