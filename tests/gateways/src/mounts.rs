//! Programs that see files where their container has them.
//!
//! Control planes and their proxies read fixed paths such as `/certs`. Each gets a mount namespace with a root directory of
//! its own: everything that is in `/`, and what is bound over it. Nothing is created outside, and the mounts end with the
//! process.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

/// Arguments: the new root's directory, pairs of what is bound and where, `--`, the program and its arguments. `exec` keeps the
/// process, so that signals reach the program itself.
const SCRIPT: &str = r#"
set -eu
root=$1; shift
mkdir -p "$root"
mount -t tmpfs none "$root"
for path in /* /.[!.]*; do
    if [ -L "$path" ]; then cp -P "$path" "$root$path"
    elif [ -d "$path" ]; then mkdir "$root$path"; mount --rbind "$path" "$root$path"
    fi
done
while [ "$1" != -- ]; do
    if [ ! -e "$root$2" ]; then mkdir "$root$2"; fi
    mount --bind "$1" "$root$2"
    shift 2
done
shift
exec chroot "$root" "$@"
"#;

/// What is bound where.
#[derive(Clone, Debug, Default)]
pub struct Mounts(Vec<(PathBuf, PathBuf)>);

impl Mounts {
    /// With the file or directory `from` at `to`, an absolute path that exists, or a new directory directly below `/`: a
    /// deeper one would be created in the real directory above it.
    ///
    /// # Errors
    /// If `to` is another path, or `from` does not exist.
    pub fn bind(mut self, from: &Path, to: &Path) -> Result<Self> {
        let top_level = to.parent() == Some(Path::new("/"));
        ensure!(top_level || to.exists(), "{} does not exist: bind a directory above it", to.display());
        ensure!(from.exists(), "{} does not exist", from.display());
        self.0.push((from.to_owned(), to.to_owned()));
        Ok(self)
    }

    /// The command that runs `program` so. `root` is the directory for its root, created if it is missing; it stays empty.
    #[must_use]
    pub fn command(&self, root: &Path, program: &Path) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", SCRIPT, "mounts"]).arg(root);
        for (from, to) in &self.0 {
            command.arg(from).arg(to);
        }
        command.arg("--").arg(program);
        command
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use onceway_kit::scratch::Scratch;

    use super::Mounts;

    #[test]
    fn a_program_sees_what_is_bound_and_all_else_and_nobody_else_does() {
        let scratch = Scratch::new("mounts").unwrap();
        let (files, root) = (scratch.path().join("files"), scratch.path().join("root"));
        fs::create_dir(&files).unwrap();
        fs::write(files.join("name"), "bound").unwrap();
        let mounts = Mounts::default().bind(&files, Path::new("/of-a-container")).unwrap();
        let mounts = mounts.bind(&files.join("name"), Path::new("/etc/hosts")).unwrap();
        let mut command = mounts.command(&root, Path::new("sh"));
        let output =
            command.args(["-c", "cat /of-a-container/name /etc/hosts; test -c /dev/null; ls /proc/self/exe"]).output();
        let output = output.unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(printed, "boundbound/proc/self/exe\n", "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!Path::new("/of-a-container").exists());
        assert_eq!(fs::read_dir(&root).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_would_be_created_outside_is_refused() {
        let deep = Path::new("/var/of-a-container/deep");
        assert!(Mounts::default().bind(Path::new("/tmp"), deep).is_err());
    }
}
