//! `cargo xtask`: the project's commands. Thin: it runs other programs and says what is missing.

use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

mod build;
mod coverage;
mod metadata;
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
    /// Build what ships, the filter optimised further where wasm-opt is had, and print where it lies
    Build,
    /// Show it at work: a storm through Envoy and three sidecars into a real Kubernetes API server
    #[command(disable_help_flag = true)]
    Demo {
        /// Options of the demo; `cargo xtask demo --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Measure what it costs, as ratios of things measured side by side in one run
    #[command(disable_help_flag = true)]
    Bench {
        /// The benchmark and its options; `cargo xtask bench --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Explore every state of the claim protocol; or, with `--wrong`, show how easier protocols fail
    #[command(disable_help_flag = true)]
    Prove {
        /// Options of the proof; `cargo xtask prove --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Incidents under a nemesis (kills, freezes, partitions, lost answers, wrong clocks), and a verdict on their history
    #[command(disable_help_flag = true)]
    Soak {
        /// Options of the soak; `cargo xtask soak --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Send the filter whatever there can be, as a module and natively, and compare; 10 million bodies unless told otherwise
    #[command(disable_help_flag = true)]
    Fuzz {
        /// Options; `cargo xtask fuzz --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Measure which lines of signal, claim and sidecar their own tests run; 90 % is the least
    Coverage,
    /// Run every test, end-to-end ones included
    #[command(disable_help_flag = true)]
    Test {
        /// Options of `cargo test`, for example the name of a test
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Task::Build => build::all().map(|built| built.print()),
        Task::Demo { options } => show("demo", &options),
        Task::Bench { options } => show("bench", &options),
        Task::Prove { options } => prove(&options),
        Task::Soak { options } => show("soak", &options),
        Task::Fuzz { options } => show("fuzz", &options),
        Task::Coverage => coverage::run(),
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

/// Runs a program of the tests' crate. Not a step: what it prints is the point.
fn show(program: &str, options: &[String]) -> anyhow::Result<()> {
    let built = build::all()?;
    let package = format!("onceway-{program}");
    let mut command = cargo(&["run", "--release", "--quiet", "--package", &package, "--bin", program, "--"]);
    command.args(options);
    built.tell(&mut command);
    step::run(command)
}

/// Needs none of the servers: it is the protocol alone.
fn prove(options: &[String]) -> anyhow::Result<()> {
    let mut command = cargo(&["run", "--release", "--quiet", "--package", "onceway-model", "--bin", "prove", "--"]);
    command.args(options);
    step::run(command)
}

fn test(options: &[String]) -> anyhow::Result<()> {
    let built = build::all()?;
    let mut tests = cargo(&["test", "--release", "--workspace"]);
    // Together with the tests, and not before them by itself: what a program depends on is built once for each set of
    // features, and those of the tests are more.
    let mut building = cargo(&["test", "--release", "--workspace", "--no-run"]);
    for command in [&mut building, &mut tests] {
        command.args(options);
        built.tell(command);
    }
    Step::new("Building the tests").run(building)?;
    let servers = Command::new(metadata::target_dir()?.join("release/tools"));
    Step::new("Getting Envoy, kube-apiserver, etcd and Alertmanager").run(servers)?;
    Step::new("Testing").run(tests)
}
