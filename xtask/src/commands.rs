//! What each command needs, and how it is run.

use std::process::Command;

use anyhow::Result;
use onceway_tools::Tool;

use crate::build::{self, Goal};
use crate::cargo::cargo;
use crate::run::run;

/// What demo, benchmarks and soak run against; only tests need Alertmanager.
const SERVERS: &[Tool] = &[Tool::Envoy, Tool::KubeApiserver, Tool::Etcd];

/// Crates whose tests run no other program of ours and no server: `cargo xtask test -p` builds nothing else for them.
const PURE: [&str; 7] =
    ["onceway-signal", "onceway-claim", "onceway-filter", "onceway-model", "onceway", "onceway-tools", "xtask"];

/// A program of the folder `tests`.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    Demo,
    Bench,
    Soak,
    Fuzz,
}

impl Program {
    fn goal(self) -> Goal<'static> {
        let goal = |title, bins, seconds| Goal { title, bins, tests: None, clock: false, tools: SERVERS, seconds };
        match self {
            Self::Demo => goal("Setting up the demo", &["demo"], 330),
            Self::Bench => goal("Setting up the benchmarks", &["bench", "baseline"], 600),
            Self::Soak => Goal { clock: true, ..goal("Setting up the soak", &["soak"], 330) },
            Self::Fuzz => Goal { tools: &[], ..goal("Building the fuzzer", &["fuzz"], 500) },
        }
    }
}

/// Builds what ships.
pub(crate) fn build() -> Result<()> {
    let goal = Goal { title: "Building", bins: &[], tests: None, clock: false, tools: &[], seconds: 250 };
    build::all(&goal).map(|built| built.print())
}

/// Runs a program of the folder `tests`, with these options of its own.
pub(crate) fn show(program: Program, options: &[String]) -> Result<()> {
    let mut goal = program.goal();
    if options.iter().any(|option| option == "--use-kubeconfig") {
        goal.tools = &[Tool::Envoy];
    }
    let built = build::all(&goal)?;
    let mut command = Command::new(built.program(goal.bins[0]));
    command.args(options);
    built.set_environment(&mut command);
    run(command)
}

/// Runs the model checker, which needs nothing but the protocol.
pub(crate) fn prove(options: &[String]) -> Result<()> {
    let mut prove = cargo(&["run", "--release", "--quiet", "--package", "onceway-model", "--bin", "prove", "--"]);
    prove.args(options);
    run(prove)
}

/// Runs `cargo test` with these options, of the whole workspace or of the packages that they name.
pub(crate) fn test(options: &[String]) -> Result<()> {
    let packages: Vec<&str> = packages(options);
    if !packages.is_empty() && packages.iter().all(|package| PURE.contains(package)) {
        let mut tests = cargo(&["test", "--release"]);
        tests.args(options);
        return run(tests);
    }
    let mut arguments = options.to_vec();
    if packages.is_empty() {
        arguments.insert(0, "--workspace".to_owned());
    }
    let goal = Goal {
        title: "Setting up the tests",
        bins: &[],
        tests: Some(&arguments),
        clock: true,
        tools: &Tool::ALL,
        seconds: 900,
    };
    let built = build::all(&goal)?;
    let mut tests = cargo(&["test", "--release"]);
    tests.args(&arguments);
    built.set_environment(&mut tests);
    run(tests)
}

/// The packages that options of cargo name: `-p X`, `-pX`, `--package X` or `--package=X`, before a `--`.
fn packages(options: &[String]) -> Vec<&str> {
    let mut packages = Vec::new();
    let mut options = options.iter().map(String::as_str).take_while(|option| *option != "--");
    while let Some(option) = options.next() {
        match option {
            "-p" | "--package" => packages.extend(options.next()),
            _ => packages.extend(option.strip_prefix("--package=").or_else(|| option.strip_prefix("-p"))),
        }
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::packages;

    #[test]
    fn packages_are_read_in_every_form_that_cargo_takes_and_not_behind_two_dashes() {
        let options = ["--locked", "-p", "a", "-pb", "--package", "c", "--package=d", "name", "--", "-p", "e"];
        assert_eq!(packages(&options.map(str::to_owned)), ["a", "b", "c", "d"]);
        assert!(packages(&["--locked".to_owned()]).is_empty());
    }
}
