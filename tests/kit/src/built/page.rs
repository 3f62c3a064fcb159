//! The page of `onceway explain`.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::{Once, cargo};
use crate::cluster::deploy::repository;

/// The variable that names a page to use as it is.
const VARIABLE: &str = "ONCEWAY_PAGE";

/// The page: `$ONCEWAY_PAGE`, else made by xtask, once per process.
///
/// # Errors
/// If it cannot be made; xtask says why on stderr.
pub fn path() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(find_or_make)
}

fn find_or_make() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
        ensure!(path.is_file(), "{VARIABLE} is {}, which is not a file", path.display());
        return Ok(path);
    }
    let mut make = cargo();
    make.args(["run", "--quiet", "--package", "xtask", "--", "page"]).current_dir(repository());
    let output = make.stderr(Stdio::inherit()).output().context("cannot run cargo to make the page")?;
    ensure!(output.status.success(), "the page cannot be made ({}); see the output above", output.status);
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.lines().next_back().map(PathBuf::from).context("xtask printed no path of the page")
}
