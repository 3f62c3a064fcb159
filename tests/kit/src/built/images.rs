//! The container images, for this machine's platform.

use std::env;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use super::{Once, cargo};
use crate::cluster::deploy::repository;

/// The variable that names a directory with images to use as they are.
const VARIABLE: &str = "ONCEWAY_IMAGES";
/// Where they are made, below the repository's root; not where a person makes them to push.
const DIR: &str = "target/test-images";

/// The directory with the OCI layouts `onceway` and `onceway-filter`: `$ONCEWAY_IMAGES`, else made by xtask, once per
/// process.
///
/// # Errors
/// If they cannot be made; xtask says why on stderr.
pub fn path() -> Result<PathBuf> {
    static PATH: Once = Once::new();
    PATH.get(find_or_make)
}

/// This machine's architecture, as images call it.
///
/// # Errors
/// If the sidecar's image is not made for it.
pub fn arch() -> Result<&'static str> {
    match env::consts::ARCH {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => anyhow::bail!("the sidecar's image is made for x86_64 and aarch64, not for {other}"),
    }
}

fn find_or_make() -> Result<PathBuf> {
    if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
        ensure!(path.is_dir(), "{VARIABLE} is {}, which is not a directory", path.display());
        return Ok(path);
    }
    let path = repository().join(DIR);
    let mut make = cargo();
    make.args(["run", "--quiet", "--package", "xtask", "--", "images", "--platform", arch()?, "--out"]).arg(&path);
    let status = make.current_dir(repository()).stdout(Stdio::null()).status();
    let status = status.context("cannot run cargo to make the images")?;
    ensure!(status.success(), "the images cannot be made ({status}); see the output above");
    Ok(path)
}
