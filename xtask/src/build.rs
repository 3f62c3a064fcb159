//! Builds what a command runs: our programs by cargo, and at the same time the servers that it needs.
//!
//! Every native build selects the whole workspace and names the programs that it wants of it. Cargo unites the features of
//! the selected packages' dependencies, so with one selection every dependency is compiled once, whichever command comes
//! first.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use onceway_tools::progress::Lane;
use onceway_tools::{Tool, setup};

use self::optimize::optimize;
use crate::cargo::{cargo, target_dir};
use crate::compile::{MESSAGES, compile};
use crate::images::{self, FILTER_SECONDS, SIDECAR_SECONDS};
use crate::page;
use crate::shipped::FILTER_TARGET;

mod optimize;
mod previous;

/// What a command needs.
pub(crate) struct Goal<'a> {
    /// For people: "Setting up the demo".
    pub(crate) title: &'static str,
    /// Programs of the workspace beside the sidecar.
    pub(crate) bins: &'a [&'a str],
    /// The tests, built with these options of `cargo test`.
    pub(crate) tests: Option<&'a [String]>,
    /// Whether the previous version's programs are needed, too.
    pub(crate) previous: bool,
    /// Whether sidecars get a wall clock of their own.
    pub(crate) clock: bool,
    /// Whether container images are needed, for this machine's platform.
    pub(crate) images: bool,
    /// Whether the page is needed.
    pub(crate) page: bool,
    /// Whether what the filter is compared with is needed: its core as a dynamic module of Envoy, and a filter that does nothing.
    pub(crate) comparisons: bool,
    /// Servers.
    pub(crate) tools: &'a [Tool],
    /// Expected seconds of a cold build of our programs on 2 cores, for the time left; without the images.
    pub(crate) seconds: u32,
}

/// Expected seconds of the builds of what the filter is compared with.
const DYNAMIC_MODULE_SECONDS: u32 = 30;
const IDLE_FILTER_SECONDS: u32 = 5;

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
    let images = if goal.images { SIDECAR_SECONDS } else { 0 };
    let page = if goal.page || goal.images { page::SECONDS } else { 0 };
    let seconds = goal.seconds.saturating_add(images).saturating_add(page);
    setup::run(goal.title, goal.tools, seconds, |lane| programs(goal, lane))
}

fn programs(goal: &Goal<'_>, lane: &dyn Lane) -> Result<Built> {
    let seconds = goal.seconds.saturating_sub(FILTER_SECONDS);
    let mut others = Vec::new();
    if goal.previous {
        others.extend(previous::build(lane)?);
    }
    let mut programs = cargo(&["build", "--release", "--workspace", "--bin", "onceway", MESSAGES]);
    let maker: &[&str] = if goal.images { &["images"] } else { &[] };
    programs.args(goal.bins.iter().chain(maker).flat_map(|bin| ["--bin", bin]));
    compile(lane, "compiling", if goal.tests.is_some() { seconds / 2 } else { seconds }, programs)?;
    if goal.clock {
        compile(lane, "compiling", 1, cargo(&["build", "--release", "--package", "onceway-clock", MESSAGES]))?;
    }
    if let Some(options) = goal.tests {
        let mut tests = cargo(&["test", "--no-run", MESSAGES]);
        tests.args(options);
        compile(lane, "compiling the tests", seconds / 2, tests)?;
    }
    let filter = images::filter(lane)?;
    let mut built = Built { target: target_dir()?, filter, others };
    built.filter = optimize(&built.filter, lane)?;
    if goal.page {
        built.others.push(("ONCEWAY_PAGE", page::page(lane)?));
    }
    if goal.images {
        built.others.push(("ONCEWAY_IMAGES", images::of_host(lane)?));
    }
    if goal.comparisons {
        built.others.push(("ONCEWAY_DYNAMIC_MODULE", dynamic_module(lane)?));
        built.others.push(("ONCEWAY_IDLE_FILTER_WASM", idle_filter(lane)?));
    }
    if goal.clock {
        built.others.push(("ONCEWAY_CLOCK", built.program("libonceway_clock.so")));
    }
    // The benchmarks would build it by itself: with other features, and so with all dependencies once more.
    if goal.bins.contains(&"baseline") {
        built.others.push(("ONCEWAY_BASELINE", built.program("baseline")));
    }
    let others = built.others.iter().map(|(_, path)| path);
    for path in [&built.program("onceway"), &built.filter].into_iter().chain(others) {
        ensure!(Path::new(path).exists(), "a bug: cargo built no {}", path.display());
    }
    Ok(built)
}

/// Builds the filter's core as a dynamic module of Envoy, in the filter's profile: a comparison of the two compares no flags.
fn dynamic_module(lane: &dyn Lane) -> Result<PathBuf> {
    let build = cargo(&["build", "--package", "onceway-dynamic-module", "--profile", "wasm", MESSAGES]);
    compile(lane, "compiling the dynamic module", DYNAMIC_MODULE_SECONDS, build)?;
    Ok(target_dir()?.join("wasm/libonceway_dynamic_module.so"))
}

/// Builds the filter that does nothing, as the filter is built.
fn idle_filter(lane: &dyn Lane) -> Result<PathBuf> {
    let arguments =
        ["build", "--package", "onceway-idle-filter", "--profile", "wasm", "--target", FILTER_TARGET, MESSAGES];
    let mut build = cargo(&arguments);
    build.env_remove("RUSTFLAGS");
    compile(lane, "compiling the filter that does nothing", IDLE_FILTER_SECONDS, build)?;
    Ok(target_dir()?.join(FILTER_TARGET).join("wasm/onceway_idle_filter.wasm"))
}
