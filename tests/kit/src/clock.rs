//! A wall clock for one sidecar that a test can set. The library `tests/clock` is preloaded into the shipped, unchanged
//! program and overrides libc's clock functions.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::SignedDuration;

use crate::built;

/// The wall clock of one replica; it survives restarts of the process.
pub struct Clock {
    library: PathBuf,
    path: PathBuf,
    offset: File,
}

impl Clock {
    /// A clock with the true time until [`Clock::set`]. Its offset is a file in `dir`.
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

    /// Sets its difference from the true time, in either direction.
    ///
    /// # Errors
    /// If the file cannot be written, or `offset` is longer than 292 years.
    pub fn set(&self, offset: SignedDuration) -> Result<()> {
        let nanoseconds = i64::try_from(offset.as_nanos()).context("a clock's offset is at most 292 years")?;
        // One write of eight bytes: the process has them mapped, and must not see half of them.
        Ok(self.offset.write_all_at(&nanoseconds.to_ne_bytes(), 0)?)
    }

    /// The environment that gives a process this clock.
    pub fn environment(&self) -> [(&'static str, OsString); 2] {
        [("LD_PRELOAD", self.library.clone().into()), ("ONCEWAY_CLOCK_OFFSET", self.path.clone().into())]
    }
}
