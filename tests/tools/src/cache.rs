//! The cache directory: finished entries only, each under a name that contains its version.
//!
//! An entry is made in a directory beside it and renamed once complete, so an entry that exists is complete. A lock file
//! keeps two processes from making the same entry at once; the second waits and then finds it.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// `$XDG_CACHE_HOME/onceway`, else `~/.cache/onceway`.
///
/// # Errors
/// If neither variable is set.
pub fn dir() -> Result<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let root = cache.or_else(home).context("no cache directory: set XDG_CACHE_HOME or HOME")?;
    Ok(root.join("onceway"))
}

/// The directory `name` in the cache at `root`, which `make` fills if it does not exist yet.
///
/// # Errors
/// What `make` returns, or that the cache cannot be written.
pub fn get_or_make(root: &Path, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let finished = root.join(name);
    if finished.is_dir() {
        return Ok(finished);
    }
    fs::create_dir_all(root).with_context(|| format!("cannot create the cache {}", root.display()))?;
    let lock = File::create(root.join(format!("{name}.lock")))?;
    lock.lock().with_context(|| format!("cannot lock {name} in the cache"))?;
    if finished.is_dir() {
        return Ok(finished);
    }
    let making = root.join(format!("{name}.part"));
    // Left by an interrupted run; its state is unknown.
    let _ = fs::remove_dir_all(&making);
    fs::create_dir(&making)?;
    make(&making)?;
    fs::rename(&making, &finished).with_context(|| format!("cannot finish {}", finished.display()))?;
    Ok(finished)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use anyhow::bail;

    use super::get_or_make;

    #[test]
    fn an_entry_is_made_once_even_if_many_ask_at_once() {
        let root = tempfile::tempdir().unwrap();
        let made = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let dir = get_or_make(root.path(), "thing-1", |dir| {
                        made.fetch_add(1, Ordering::Relaxed);
                        Ok(fs::write(dir.join("file"), "whole")?)
                    });
                    assert_eq!(fs::read_to_string(dir.unwrap().join("file")).unwrap(), "whole");
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn an_entry_whose_making_failed_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let failed = get_or_make(root.path(), "thing-1", |dir| {
            fs::write(dir.join("half"), "")?;
            bail!("interrupted")
        });
        assert!(failed.is_err());
        let dir = get_or_make(root.path(), "thing-1", |dir| Ok(fs::write(dir.join("file"), "")?)).unwrap();
        assert!(!dir.join("half").exists());
    }
}
