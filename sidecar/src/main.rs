//! The `onceway` binary.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::Parser;
use onceway::cli::Args;
use onceway::config::default_yaml;
use onceway::env::Env;
use onceway::{app, logging, shutdown};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.print_default_config {
        print!("{}", default_yaml()?);
        return Ok(());
    }
    let config = args.configuration()?;
    logging::start(&config.log)?;
    let env = Env::read()?;
    let shutdown = shutdown::requested()?;
    app::run(config, env, app::service, shutdown).await
}
