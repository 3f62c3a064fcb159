//! Builds what a command runs: our programs by cargo, and at the same time the servers that it needs.
//!
//! Every native build selects the whole workspace and names the programs that it wants of it. Cargo unites the features of
//! the selected packages' dependencies, so with one selection every dependency is compiled once, whichever command comes
//! first.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use onceway_tools::progress::Lane;
use onceway_tools::run::run;
use onceway_tools::{Tool, setup};

use self::optimize::optimize;
use crate::cargo::{cargo, target_dir};

mod optimize;

/// The filter's target.
const TARGET: &str = "wasm32-wasip1";
/// Has cargo say which crates are built: what its progress is made of.
const MESSAGES: &str = "--message-format=json-render-diagnostics";
/// The advice if cargo is missing, which runs this very program.
const NO_CARGO: &str = "install Rust with rustup";

/// What a command needs.
pub(crate) struct Goal<'a> {
    /// For people: "Setting up the demo".
    pub(crate) title: &'static str,
    /// Programs of the workspace beside the sidecar.
    pub(crate) bins: &'a [&'a str],
    /// The tests, built with these options of `cargo test`.
    pub(crate) tests: Option<&'a [String]>,
    /// Whether sidecars get a wall clock of their own.
    pub(crate) clock: bool,
    /// Servers.
    pub(crate) tools: &'a [Tool],
    /// Expected seconds of a cold build of our programs on 2 cores, for the time left.
    pub(crate) seconds: u32,
}

/// Where the programs are that were built.
pub(crate) struct Built {
    target: PathBuf,
    filter: PathBuf,
    /// What else was built, by the variable that names it.
    others: Vec<(&'static str, PathBuf)>,
}

impl Built {
    /// The file of this name among what was built for the release profile.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// Prints where they are.
    pub(crate) fn print(&self) {
        println!("{}\n{}", self.program("onceway").display(), self.filter.display());
    }

    /// Sets the variables by which a program finds them without asking cargo.
    pub(crate) fn set_environment(&self, command: &mut Command) {
        command.env("ONCEWAY_BIN", self.program("onceway")).env("ONCEWAY_FILTER_WASM", &self.filter);
        command.envs(self.others.iter().map(|(variable, path)| (variable, path)));
    }
}

/// Builds and gets everything of `goal`, with one progress and the time left.
///
/// # Errors
/// If a program does not compile, or a server is neither there nor can be made; the message says what is missing.
pub(crate) fn all(goal: &Goal<'_>) -> Result<Built> {
    install_target()?;
    setup::run(goal.title, goal.tools, goal.seconds, |lane| programs(goal, lane))
}

fn programs(goal: &Goal<'_>, lane: &dyn Lane) -> Result<Built> {
    let seconds = goal.seconds.saturating_sub(FILTER_SECONDS);
    let mut programs = cargo(&["build", "--release", "--workspace", "--bin", "onceway", MESSAGES]);
    programs.args(goal.bins.iter().flat_map(|bin| ["--bin", bin]));
    compile(lane, "compiling", if goal.tests.is_some() { seconds / 2 } else { seconds }, programs)?;
    if goal.clock {
        compile(lane, "compiling", 1, cargo(&["build", "--release", "--package", "onceway-clock", MESSAGES]))?;
    }
    if let Some(options) = goal.tests {
        let mut tests = cargo(&["test", "--release", "--no-run", MESSAGES]);
        tests.args(options);
        compile(lane, "compiling the tests", seconds / 2, tests)?;
    }
    let mut filter =
        cargo(&["build", "--package", "onceway-filter", "--profile", "wasm", "--target", TARGET, MESSAGES]);
    filter.env_remove("RUSTFLAGS");
    compile(lane, "compiling the filter", FILTER_SECONDS, filter)?;

    let target = target_dir()?;
    let filter = target.join(TARGET).join("wasm/onceway_filter.wasm");
    let mut built = Built { target, filter, others: Vec::new() };
    built.filter = optimize(&built.filter, lane)?;
    if goal.clock {
        built.others.push(("ONCEWAY_CLOCK", built.program("libonceway_clock.so")));
    }
    // The benchmarks would build it by itself: with other features, and so with all dependencies once more.
    if goal.bins.contains(&"baseline") {
        built.others.push(("ONCEWAY_BASELINE", built.program("baseline")));
    }
    let others = built.others.iter().map(|(_, path)| path);
    for path in [&built.program("onceway"), &built.filter].into_iter().chain(others) {
        ensure!(path.is_file(), "a bug: cargo built no {}", path.display());
    }
    Ok(built)
}

/// Seconds of a cold build of the filter.
const FILTER_SECONDS: u32 = 30;

/// Runs a build of cargo's. A unit is a crate that is built, or was before.
fn compile(lane: &dyn Lane, step: &str, seconds: u32, build: Command) -> Result<()> {
    lane.begin(step, crates(&build), seconds);
    let mut built = BTreeSet::new();
    run(build, NO_CARGO, |line| {
        if package_of_artifact(line).is_some_and(|package| built.insert(package)) {
            lane.unit();
        }
    })
}

/// The package that one of cargo's messages says is built.
fn package_of_artifact(message: &str) -> Option<String> {
    let message = message.strip_prefix(r#"{"reason":"compiler-artifact","package_id":""#)?;
    message.split('"').next().map(str::to_owned)
}

/// How many crates a build compiles if it is cold; 0 if cargo does not say.
fn crates(build: &Command) -> u64 {
    let arguments: Vec<&OsStr> = build.get_args().collect();
    let package = arguments.iter().position(|argument| *argument == "--package").and_then(|at| arguments.get(at + 1));
    let mut tree = cargo(&["tree", "--prefix", "none", "--edges", "normal,build", "--format", "{p}"]);
    match package {
        Some(package) => tree.arg("--package").arg(package),
        None => tree.arg("--workspace"),
    };
    let Ok(output) = tree.output() else { return 0 };
    let text = String::from_utf8_lossy(&output.stdout);
    let crates: BTreeSet<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    crates.len() as u64
}

/// rustup installs the target itself if it installs the toolchain; a toolchain that was there before may lack it.
fn install_target() -> Result<()> {
    if has_target() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    eprintln!("== Installing the target {TARGET}");
    run(rustup, "the filter is built for WebAssembly, which needs rustup or a Rust with that target", |_| ())
        .context("the filter is built for WebAssembly")?;
    ensure!(has_target(), "rustup installed {TARGET}, but not for this rustc; is it a distribution's?");
    Ok(())
}

fn has_target() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]).output();
    output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

#[cfg(test)]
mod tests {
    use super::package_of_artifact;

    #[test]
    fn the_package_of_an_artifact_is_read_and_other_messages_are_none() {
        let artifact = r#"{"reason":"compiler-artifact","package_id":"registry+x#libc@0.2","manifest_path":"m"}"#;
        assert_eq!(package_of_artifact(artifact).as_deref(), Some("registry+x#libc@0.2"));
        assert_eq!(package_of_artifact(r#"{"reason":"build-finished","success":true}"#), None);
        assert_eq!(package_of_artifact("   Compiling libc v0.2"), None);
    }
}
