//! `cargo xtask soak`: see [`onceway_tests::soak`].

use std::process::ExitCode;

use clap::Parser;
use onceway_tests::soak::{self, Args};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let exact = soak::run(Args::parse()).await?;
    Ok(if exact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
