//! The `onceway` binary.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::stdout;
use std::process::ExitCode;

use clap::Parser;
use onceway::cli::{Args, Command};
use onceway::config::{Config, default_yaml, yaml};
use onceway::doctor::DoctorArgs;
use onceway::env::Env;
use onceway::explain::ExplainArgs;
use onceway::install_filter::InstallFilterArgs;
use onceway::send_test::SendTestArgs;
use onceway::{app, logging, shutdown};
use tokio_util::task::AbortOnDropHandle;

/// The exit code for what a command cannot use (an input, a module, a directory), of `check-config` for a configuration that
/// is not valid, and of `send-test` if it has sent nothing; as that of wrong arguments.
const UNUSABLE: u8 = 2;
/// The exit code of `doctor` if it cannot run: 2 says that a check has failed.
const CANNOT_RUN: u8 = 3;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.print_default_config {
        print!("{}", default_yaml()?);
        return Ok(ExitCode::SUCCESS);
    }
    match &args.command {
        // These read no configuration, or all that is wrong with it.
        Some(Command::InstallFilter(install)) => return Ok(install_filter(install)),
        Some(Command::CheckConfig(check)) => {
            let valid = check.run(&mut stdout().lock())?;
            return Ok(if valid { ExitCode::SUCCESS } else { ExitCode::from(UNUSABLE) });
        }
        Some(Command::Doctor(doctor)) => return run_doctor(&args, doctor).await,
        Some(Command::SendTest(test)) => return send_test(&args, test).await,
        Some(Command::Explain(_)) | None => {}
    }
    let config = args.configuration()?;
    if args.print_config {
        print!("{}", yaml(&config)?);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::Explain(command)) = &args.command {
        return explain(&args, command, &config).await;
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

fn install_filter(command: &InstallFilterArgs) -> ExitCode {
    match command.run() {
        Ok((path, bytes)) => {
            println!("installed {} ({bytes} bytes)", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => unusable("install-filter", error),
    }
}

async fn explain(args: &Args, command: &ExplainArgs, config: &Config) -> anyhow::Result<ExitCode> {
    let Some(address) = command.serve.address else {
        return Ok(match command.run(&config.targets, &mut stdout().lock()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => unusable("explain", error),
        });
    };
    // Without --config the page begins with no rules of the user's, as its own file does.
    let rules = args.has_configuration().then_some(&config.targets);
    Ok(match command.serve.run(address, rules, shutdown::requested()?).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => unusable("explain", error),
    })
}

async fn run_doctor(args: &Args, command: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let report = match command.run(&args.inspected()).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("onceway doctor: {error:#}");
            return Ok(ExitCode::from(CANNOT_RUN));
        }
    };
    let out = &mut stdout().lock();
    if command.json() { report.write_json(out) } else { report.write_text(out) }?;
    Ok(ExitCode::from(report.exit_code(command.strict())))
}

async fn send_test(args: &Args, command: &SendTestArgs) -> anyhow::Result<ExitCode> {
    let inspected = args.inspected();
    let config = match inspected.config {
        Ok(config) => config,
        Err(_) => {
            let name = inspected.name;
            return Ok(unusable("send-test", format!("{name} is not valid; `onceway check-config {name}` says why")));
        }
    };
    let way = match command.run(&config, shutdown::requested).await {
        Ok(way) => way,
        Err(error) => return Ok(unusable("send-test", format!("{error:#}"))),
    };
    let out = &mut stdout().lock();
    if command.json() { way.write_json(out) } else { way.write_text(out) }?;
    Ok(ExitCode::from(way.exit_code()))
}

fn unusable(command: &str, error: impl std::fmt::Display) -> ExitCode {
    eprintln!("onceway {command}: {error}");
    ExitCode::from(UNUSABLE)
}
