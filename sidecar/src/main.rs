//! The `onceway` binary.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clap::Parser;
use onceway::cli::Args;
use onceway::config::default_yaml;
use onceway::env::Env;
use onceway::{logging, shutdown};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if args.print_default_config {
        print!("{}", default_yaml()?);
        return Ok(());
    }
    let config = args.configuration()?;
    logging::start(&config.log)?;
    let _env = Env::read()?;
    let _shutdown = shutdown::requested()?;
    // SEAM: onceway::app::run(config, env, |parts| Owners::new(...), shutdown).await, once crate::owner exists.
    anyhow::bail!("this build has no owner tasks, and so commits nothing")
}
