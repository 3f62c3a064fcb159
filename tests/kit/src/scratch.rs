//! Temporary directories that are removed even if their process was killed.
//!
//! A directory is owned while its lock file is locked; the kernel ends the lock with the process. Creating a directory
//! first removes those without an owner. The directory of a test that panicked is kept for an hour.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

/// How long the directory of a failed test is kept.
const KEEP_FAILED: Duration = Duration::from_secs(3600);

/// A directory that is removed on drop unless the thread panics.
#[derive(Debug)]
pub struct Scratch {
    dir: PathBuf,
    // Held, never read: its lock marks the directory as owned.
    _owned: File,
}

impl Scratch {
    /// Creates a directory whose name starts with `label`. Paths in it are short enough for Unix sockets.
    ///
    /// # Errors
    /// If the system's temporary directory cannot be written.
    pub fn new(label: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = std::env::temp_dir().join("onceway-rigs");
        fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
        // One lock for removing and creating, so that no removal meets a directory that is not locked yet.
        let guard = File::create(root.join(".lock"))?;
        guard.lock()?;
        remove_unowned(&root);
        let dir = root.join(format!("{label}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        // A directory of this name is that of an earlier process with the same id.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let owned = File::create(lock_of(&dir))?;
        owned.lock()?;
        Ok(Self { dir, _owned: owned })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = File::create(failed_mark(&self.dir));
            eprintln!("kept for an hour: {}", self.dir.display());
            return;
        }
        let _ = fs::remove_dir_all(&self.dir);
        let _ = fs::remove_file(lock_of(&self.dir));
    }
}

fn lock_of(dir: &Path) -> PathBuf {
    dir.with_extension("lock")
}

fn failed_mark(dir: &Path) -> PathBuf {
    dir.join("failed")
}

/// Removes the directories of dead processes. Ignores errors: another process may be removing the same.
fn remove_unowned(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for dir in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()) {
        let unowned = File::open(lock_of(&dir)).is_ok_and(|lock| lock.try_lock().is_ok());
        if unowned && !failed_recently(&dir) {
            let _ = fs::remove_dir_all(&dir);
            let _ = fs::remove_file(lock_of(&dir));
        }
    }
}

fn failed_recently(dir: &Path) -> bool {
    let failed = fs::metadata(failed_mark(dir)).and_then(|mark| mark.modified());
    failed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age < KEEP_FAILED))
}

#[cfg(test)]
mod tests {
    use super::{Scratch, lock_of};

    #[test]
    fn directories_of_dead_processes_are_removed_and_owned_ones_stay() {
        let owned = Scratch::new("owned").unwrap();
        let left = owned.path().with_file_name("left-by-the-dead-0");
        std::fs::create_dir_all(&left).unwrap();
        std::fs::File::create(lock_of(&left)).unwrap();

        let other = Scratch::new("other").unwrap();

        assert!(!left.exists());
        assert!(owned.path().exists());
        let path = other.path().to_owned();
        drop(other);
        assert!(!path.exists());
    }
}
