//! `cargo xtask`: the project's commands. Thin: it runs other programs and says what is missing.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod build;
mod step;

use crate::step::{Step, cargo};

/// The project's commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show it at work: a storm through Envoy and three sidecars into a real Kubernetes API server
    Demo {
        /// Options of the demo; `cargo xtask demo -- --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Run every test, end-to-end ones included
    Test {
        /// Options of `cargo test`, for example the name of a test
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Task::Demo { options } => demo(&options),
        Task::Test { options } => test(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo(options: &[String]) -> anyhow::Result<()> {
    let built = build::all()?;
    // Not a step: what it prints is the point.
    let mut demo = cargo(&["run", "--release", "--quiet", "--package", "onceway-tests", "--bin", "demo", "--"]);
    demo.args(options);
    built.tell(&mut demo);
    step::run(demo)
}

fn test(options: &[String]) -> anyhow::Result<()> {
    let built = build::all()?;
    let servers = &["run", "--release", "--quiet", "--package", "onceway-tests", "--bin", "tools"];
    Step::new("Getting Envoy, kube-apiserver, etcd and Alertmanager").run(cargo(servers))?;
    let mut tests = cargo(&["test", "--release", "--workspace"]);
    tests.args(options);
    built.tell(&mut tests);
    Step::new("Testing").run(tests)
}
