//! `cargo xtask demo`: see [`onceway_tests::demo`].

use std::process::ExitCode;

use clap::Parser;
use onceway_tests::demo::{self, Args};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let exact = demo::run(Args::parse()).await?;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
