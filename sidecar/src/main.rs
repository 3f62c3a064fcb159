//! The `onceway` binary.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::stdout;
use std::process::ExitCode;

use clap::Parser;
use onceway::cli::{Args, Command};
use onceway::config::{default_yaml, yaml};
use onceway::env::Env;
use onceway::{app, logging, shutdown};
use tokio_util::task::AbortOnDropHandle;

/// The exit code of `explain` for an input that it cannot read, and of `install-filter` for a module or a directory that it
/// cannot use; as that of wrong arguments.
const UNUSABLE: u8 = 2;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.print_default_config {
        print!("{}", default_yaml()?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::InstallFilter(install)) = &args.command {
        return Ok(match install.run() {
            Ok((path, bytes)) => {
                println!("installed {} ({bytes} bytes)", path.display());
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("onceway install-filter: {error}");
                ExitCode::from(UNUSABLE)
            }
        });
    }
    let config = args.configuration()?;
    if args.print_config {
        print!("{}", yaml(&config)?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::Explain(explain)) = &args.command
        && let Some(address) = explain.serve.address
    {
        // Without --config the page begins with no rules of the user's, as its own file does.
        let rules = args.has_configuration().then_some(&config.targets);
        return Ok(match explain.serve.run(address, rules, shutdown::requested()?).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("onceway explain: {error}");
                ExitCode::from(UNUSABLE)
            }
        });
    }
    if let Some(Command::Explain(explain)) = &args.command {
        return Ok(match explain.run(&config.targets, &mut stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("onceway explain: {error}");
                ExitCode::from(UNUSABLE)
            }
        });
    }
    let throttle = logging::start(&config.log)?;
    let _summaries = AbortOnDropHandle::new(tokio::spawn(throttle.clone().run()));
    let env = Env::read()?;
    let shutdown = shutdown::requested()?;
    let ended = app::run(config, env, app::service, shutdown).await;
    throttle.summarise();
    ended?;
    Ok(ExitCode::SUCCESS)
}
