//! `cargo xtask`: the project's commands. Thin: it builds and gets what a command needs, runs it, and says what is missing.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod build;
mod cargo;
mod chart;
mod commands;
mod compile;
mod copy;
mod coverage;
mod dashboard;
mod git;
mod images;
mod page;
mod platform;
mod reproduce;
mod run;
mod sbom;
mod shipped;
mod target;

use self::commands::Program;
use self::images::Wanted;

/// The project's commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build what ships, the filter optimised further if wasm-opt is installed, and print the paths
    Build,
    /// Run the main job: a storm through Envoy and three sidecars into a real Kubernetes API server
    #[command(disable_help_flag = true)]
    Demo {
        /// Options of the demo; `cargo xtask demo --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Measure what it costs, as ratios of contenders measured side by side in one run
    #[command(disable_help_flag = true)]
    Bench {
        /// The benchmark and its options; `cargo xtask bench --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Explore every state of the claim protocol; with `--wrong`, show how simpler protocols fail
    #[command(disable_help_flag = true)]
    Prove {
        /// Options of the model checker; `cargo xtask prove --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Run incidents under injected faults (kills, freezes, partitions, lost responses, wrong clocks) and check the history
    #[command(disable_help_flag = true)]
    Soak {
        /// Options of the soak; `cargo xtask soak --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Compute and simulate what one cluster can take, and print the tables of docs/scale.md; `--write` puts them there
    #[command(disable_help_flag = true)]
    Scale {
        /// `--write`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Send generated requests to the filter's module and to its native core, and compare; 10 million bodies by default
    #[command(disable_help_flag = true)]
    Fuzz {
        /// Options; `cargo xtask fuzz --help` shows them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Measure which lines of signal, claim and sidecar their own tests run; fails below 90 %
    Coverage,
    /// Write what is made of the Helm chart: its values, their reference, and manifests for `kubectl apply`; by Helm
    Render(chart::Options),
    /// Make the container images, as OCI layouts in target/images, without a container engine
    Images {
        /// Platform of the sidecar: amd64, arm64; by default each that there is a C compiler for
        #[arg(long = "platform", value_name = "ARCH", value_parser = ["amd64", "arm64"])]
        platforms: Vec<String>,
        /// Where they will be pushed; writes DIR/values.yaml, for Helm, with names and digests
        #[arg(long, value_name = "HOST/PATH")]
        registry: Option<String>,
        /// Directory for them [default: images in cargo's target directory]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Make the page of `onceway explain`, one file, and print its path
    Page {
        /// Show an example in it, in Chromium, and write what is seen to FILE, a PNG
        #[arg(long, value_name = "FILE")]
        screenshot: Option<PathBuf>,
    },
    /// Build what ships twice, in different places, and compare the digests of programs and images
    Reproduce,
    /// List what the sidecar and the filter are made of, as CycloneDX
    Sbom,
    /// Run all tests, end-to-end tests included; `-p PACKAGE` runs those of one crate, `gateways` the gateway matrix,
    /// `without-images` all that runs no container image, `crd-kubernaut` the end-to-end tests with kubernaut's CRD
    #[command(disable_help_flag = true)]
    Test {
        /// Options of `cargo test`, for example `-p onceway-signal`, or the name of a test
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Task::Build => commands::build(),
        Task::Demo { options } => commands::show(Program::Demo, &options),
        Task::Bench { options } => commands::show(Program::Bench, &options),
        Task::Prove { options } => commands::prove(&options),
        Task::Scale { options } => commands::scale(&options),
        Task::Soak { options } => commands::show(Program::Soak, &options),
        Task::Fuzz { options } => commands::show(Program::Fuzz, &options),
        Task::Coverage => coverage::run(),
        Task::Render(options) => chart::render(&options),
        Task::Images { platforms, registry, out } => {
            images::images(&Wanted { platforms: &platforms, out: out.as_deref(), registry: registry.as_deref() })
        }
        Task::Page { screenshot } => commands::page(screenshot.as_deref()),
        Task::Reproduce => reproduce::reproduce(),
        Task::Sbom => sbom::sbom(),
        Task::Test { options } => commands::test(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
