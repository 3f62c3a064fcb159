//! `cargo xtask demo`: see [`onceway_demo`].

use std::process::ExitCode;

use clap::Parser;
use onceway_demo::Args;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let exact = onceway_demo::run(Args::parse()).await?;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
