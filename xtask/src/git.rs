//! What git says of a tree.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

const CANNOT_RUN: &str = "cannot run git, which says what commit this is";

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

/// The hash of `name`, a commit that `tree` may lack.
///
/// # Errors
/// If git cannot be run.
pub(crate) fn hash_of(tree: &Path, name: &str) -> Result<Option<String>> {
    let arguments = ["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")];
    let output = command(tree, &arguments).output().context(CANNOT_RUN)?;
    Ok(output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned()))
}

/// The command `git` in a tree.
pub(crate) fn command(tree: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(tree).args(arguments);
    git
}

fn git(tree: &Path, arguments: &[&str]) -> Result<String> {
    let output = command(tree, arguments).output().context(CANNOT_RUN)?;
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
