//! `cargo xtask images`: builds what goes into the container images, and has them made.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use onceway_tools::progress::Lane;
use onceway_tools::setup;

use crate::cargo::{cargo, root, target_dir};
use crate::compile::{MESSAGES, compile};
use crate::platform::{PLATFORMS, Platform};
use crate::run::run;
use crate::sbom::{self, Sboms};
use crate::shipped::{FILTER_TARGET, Shipped};
use crate::{git, page, target};

/// Seconds of a cold build of the filter, and of the sidecar for one platform, on 2 cores.
pub(crate) const FILTER_SECONDS: u32 = 30;
pub(crate) const SIDECAR_SECONDS: u32 = 240;
/// Seconds of a cold build of the program that makes the images.
const MAKER_SECONDS: u32 = 30;

/// What is wanted.
pub(crate) struct Wanted<'a> {
    /// Platforms; none means each that a compiler is found for.
    pub(crate) platforms: &'a [String],
    /// The directory for the layouts, if not `images` below cargo's target directory.
    pub(crate) out: Option<&'a Path>,
    /// Where they will be pushed.
    pub(crate) registry: Option<&'a str>,
}

/// Makes the images, and says what is left out of them.
///
/// # Errors
/// If something cannot be built, or is too large.
pub(crate) fn images(wanted: &Wanted<'_>) -> Result<()> {
    let platforms = platforms(wanted.platforms)?;
    let out =
        wanted.out.map_or_else(|| Ok(target_dir()?.join("images")), |out| Ok::<_, anyhow::Error>(out.to_owned()))?;
    let sidecars = u32::try_from(platforms.len()).unwrap_or(u32::MAX);
    let seconds = MAKER_SECONDS + FILTER_SECONDS + page::SECONDS + SIDECAR_SECONDS.saturating_mul(sidecars);
    let built = setup::run("Building the images", &[], seconds, |lane| {
        let maker = cargo(&["build", "--release", "--workspace", "--bin", "images", MESSAGES]);
        compile(lane, "compiling", MAKER_SECONDS, maker)?;
        filter(lane)?;
        page::page(lane)?;
        sidecars_of(lane, &platforms)
    });
    built?;
    let sboms = sbom::lists(&platforms)?;
    if sboms.is_none() {
        eprintln!("== No SBOMs are attached: {}", sbom::MISSING);
    }
    run(maker(&platforms, &out, wanted.registry, sboms.as_ref())?)
}

/// Makes the images for this machine's platform alone, from what [`filter`] and the build of the maker left, for tests.
/// Returns their directory.
///
/// # Errors
/// Those of [`images`].
pub(crate) fn of_host(lane: &dyn Lane) -> Result<PathBuf> {
    let platform = Platform::of_host().context("the sidecar's image has no platform for this machine")?;
    sidecars_of(lane, &[platform])?;
    page::page(lane)?;
    let out = target_dir()?.join("test-images");
    let mut maker = maker(&[platform], &out, None, None)?;
    let output = maker.output().context("cannot run the program that makes the images")?;
    ensure!(output.status.success(), "no images: {}", String::from_utf8_lossy(&output.stderr));
    Ok(out)
}

/// Builds the filter as it ships; returns its path.
///
/// # Errors
/// If it does not compile.
pub(crate) fn filter(lane: &dyn Lane) -> Result<PathBuf> {
    target::install(FILTER_TARGET, "the filter is built for WebAssembly")?;
    build(lane, Shipped::Filter, "compiling the filter", FILTER_SECONDS)
}

fn sidecars_of(lane: &dyn Lane, platforms: &[&'static Platform]) -> Result<()> {
    for platform in platforms {
        target::install(platform.target, "the sidecar's image has a static program")?;
        let step = format!("compiling the sidecar for {}", platform.arch);
        build(lane, Shipped::Sidecar(platform), &step, SIDECAR_SECONDS)?;
    }
    Ok(())
}

fn build(lane: &dyn Lane, shipped: Shipped, step: &str, seconds: u32) -> Result<PathBuf> {
    let mut build = shipped.build(root())?;
    build.arg(MESSAGES);
    compile(lane, step, seconds, build)?;
    Ok(target_dir()?.join(shipped.file()))
}

/// The platforms of these names, or those that can be built; says which cannot.
fn platforms(names: &[String]) -> Result<Vec<&'static Platform>> {
    let mut chosen = Vec::new();
    for platform in &PLATFORMS {
        let is_asked = names.iter().any(|name| name == platform.arch);
        if names.is_empty() && platform.compiler().is_none() {
            eprintln!("== {} is left out, there is no C compiler for it: {}", platform.arch, platform.advice());
        } else if names.is_empty() || is_asked {
            chosen.push(platform);
        }
    }
    ensure!(!chosen.is_empty(), "no platform can be built: see above");
    Ok(chosen)
}

/// The program that makes the images, of what is built.
fn maker(
    platforms: &[&'static Platform],
    out: &Path,
    registry: Option<&str>,
    sboms: Option<&Sboms>,
) -> Result<Command> {
    maker_of(root(), &target_dir()?, platforms, out, registry, sboms)
}

/// The same, of what is built of `tree` in the directory `target`.
///
/// # Errors
/// If git fails.
pub(crate) fn maker_of(
    tree: &Path,
    target: &Path,
    platforms: &[&'static Platform],
    out: &Path,
    registry: Option<&str>,
    sboms: Option<&Sboms>,
) -> Result<Command> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut maker = Command::new(target_dir()?.join("release/images"));
    maker.arg("--out").arg(out).arg("--module").arg(target.join(Shipped::Filter.file()));
    maker.arg("--page").arg(target.join(page::FILE));
    for platform in platforms {
        let file = target.join(Shipped::Sidecar(platform).file());
        maker.arg("--program").arg(format!("{}={}", platform.arch, file.display()));
    }
    if let Some(commit) = git::commit(tree)? {
        maker.args(["--revision", &commit.revision, "--created", &commit.seconds]);
    }
    if let Some(Sboms { sidecar, filter }) = sboms {
        maker.args(sidecar.iter().chain([filter]).flat_map(|list| ["--sidecar-sbom".as_ref(), list.as_os_str()]));
        maker.arg("--filter-sbom").arg(filter);
    }
    maker.args(registry.iter().flat_map(|registry| ["--registry", registry]));
    Ok(maker)
}

#[cfg(test)]
mod tests {
    use super::platforms;

    #[test]
    fn platforms_are_chosen_by_name_and_one_that_does_not_exist_is_an_error() {
        let arm = platforms(&["arm64".to_owned()]).unwrap();
        assert_eq!(arm.iter().map(|platform| platform.arch).collect::<Vec<_>>(), ["arm64"]);
        assert!(platforms(&["sparc".to_owned()]).is_err());
    }
}
