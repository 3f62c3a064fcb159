//! A wall clock for one sidecar that a test can set. A library of the tests (`tests/clock`) is loaded into the process
//! before libc and answers for it; the program is the one that ships, and knows nothing of it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::SignedDuration;

use crate::built;

/// The wall clock of one process, and of those that follow it in its place.
pub struct Clock {
    library: PathBuf,
    path: PathBuf,
    offset: File,
}

impl Clock {
    /// A clock that tells the truth until it is set. What it is set to is kept in `dir`.
    ///
    /// # Errors
    /// If the library cannot be built, or `dir` cannot be written.
    pub async fn start(dir: &Path, name: &str) -> Result<Self> {
        let library = tokio::task::spawn_blocking(built::clock).await??;
        let path = dir.join(format!("{name}.clock"));
        let offset = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
        let clock = Self { library, path, offset };
        clock.set(SignedDuration::ZERO)?;
        Ok(clock)
    }

    /// From now on it differs from the true time by so much, in either direction.
    ///
    /// # Errors
    /// If the file cannot be written, or `offset` is longer than 292 years.
    pub fn set(&self, offset: SignedDuration) -> Result<()> {
        let nanoseconds = i64::try_from(offset.as_nanos()).context("a clock's offset is at most 292 years")?;
        // Eight bytes at once: the process has them mapped, and sees all of them or none.
        Ok(self.offset.write_all_at(&nanoseconds.to_ne_bytes(), 0)?)
    }

    /// What a process must be started with to have this clock.
    pub(crate) fn environment(&self) -> [(&'static str, OsString); 2] {
        [("LD_PRELOAD", self.library.clone().into()), ("ONCEWAY_CLOCK_OFFSET", self.path.clone().into())]
    }
}
