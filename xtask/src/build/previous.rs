//! The programs of the previous version, which tests run beside those of this one: replicas and filters are replaced one at
//! a time, so two versions work together during every upgrade.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use onceway_tools::progress::Lane;

use crate::cargo::{cargo, target_dir};
use crate::compile::{MESSAGES, compile};
use crate::copy::of_commit;
use crate::shipped::FILTER_TARGET;

/// The previous version: the last commit before what takes the place of kubernaut's gateway. With each release, the one before it.
const PREVIOUS: &str = "250dfabfa0a5fe98b203b6fb1194cd68b1ab7cf1";
/// Expected seconds of its build, with all dependencies built.
const SECONDS: u32 = 90;

/// The variables that name its programs.
const SIDECAR: &str = "ONCEWAY_PREVIOUS_BIN";
const FILTER: &str = "ONCEWAY_PREVIOUS_FILTER_WASM";

/// Builds the sidecar and the filter of the previous version, unless that was done before.
///
/// It builds into the target directory of this version, whose dependencies are the same, and so must come before this version's own build,
/// which puts its programs at their places again. Its crates have a version of their own there (see [`mark`]).
///
/// # Errors
/// If the commit is not there, or its programs do not compile.
pub(super) fn build(lane: &dyn Lane) -> Result<[(&'static str, PathBuf); 2]> {
    let target = target_dir()?;
    let kept = target.join("previous").join(PREVIOUS);
    let programs = [(SIDECAR, kept.join("onceway")), (FILTER, kept.join("onceway_filter.wasm"))];
    if programs.iter().all(|(_, path)| path.is_file()) {
        return Ok(programs);
    }
    let tree = of_commit(PREVIOUS, "previous-tree")?;
    mark(&tree)?;
    let at_tree = |arguments: &[&str]| {
        let mut build = cargo(arguments);
        build.arg(MESSAGES).current_dir(&tree).env("CARGO_TARGET_DIR", &target);
        build
    };
    let sidecar = at_tree(&["build", "--release", "--workspace", "--bin", "onceway"]);
    compile(lane, "compiling the previous version", SECONDS, sidecar)?;
    let mut filter = at_tree(&["build", "--package", "onceway-filter", "--profile", "wasm", "--target", FILTER_TARGET]);
    filter.env_remove("RUSTFLAGS");
    compile(lane, "compiling the previous filter", SECONDS / 3, filter)?;
    let [sidecar, filter] = &programs;
    keep(&target.join("release/onceway"), &sidecar.1)?;
    keep(&target.join(FILTER_TARGET).join("wasm/onceway_filter.wasm"), &filter.1)?;
    Ok(programs)
}

/// Gives the crates of the previous version's tree a version that no other tree has.
///
/// Cargo names what it builds of a workspace by name and version, wherever the workspace is, and calls it fresh if the sources are older:
/// without this, this version would be linked with libraries of the previous one.
fn mark(tree: &Path) -> Result<()> {
    let manifest = tree.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let (before, rest) = text
        .split_once("[workspace.package]\nversion = \"")
        .context("the previous version's workspace has no version")?;
    let (version, after) = rest.split_once('"').context("the previous version's workspace has no version")?;
    let marked = format!("{before}[workspace.package]\nversion = \"{version}-previous\"{after}");
    fs::write(&manifest, marked).with_context(|| format!("cannot write {}", manifest.display()))
}

/// Copies, and not links: cargo writes over what it built.
fn keep(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a path without a parent")?)?;
    // By a rename, so that an interrupted copy is none.
    let part = to.with_extension("part");
    fs::copy(from, &part).with_context(|| format!("cargo built no {}", from.display()))?;
    Ok(fs::rename(part, to)?)
}
