//! `cargo xtask soak`: see [`onceway_soak`].

use std::process::ExitCode;

use clap::Parser;
use onceway_soak::Args;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let exact = onceway_soak::run(Args::parse()).await?;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
