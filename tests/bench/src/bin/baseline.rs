//! The benchmarks' per-signal contender as a program that starts like the sidecar: see [`onceway_bench::baseline`].

use clap::Parser;
use onceway::cli::Args;
use onceway::env::Env;
use onceway::{app, logging, shutdown};
use onceway_bench::baseline;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Args::parse().configuration()?;
    logging::start(&config.log)?;
    let service = |dependencies: app::Dependencies<'_>| baseline::service(dependencies, baseline::Holder::read());
    app::run(config, Env::read()?, service, shutdown::requested()?).await
}
