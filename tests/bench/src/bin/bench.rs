//! `cargo xtask bench`: see [`onceway_bench`].

use std::process::ExitCode;

use clap::Parser;
use onceway_bench::Args;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let met = onceway_bench::run(Args::parse()).await?;
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
