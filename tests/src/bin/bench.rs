//! `cargo xtask bench`: see [`onceway_tests::bench`].

use std::process::ExitCode;

use clap::Parser;
use onceway_tests::bench::{self, Args};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let met = bench::run(Args::parse()).await?;
    Ok(if met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
