//! The gateway matrix: each check through each gateway, with the gateway's real control plane.
//!
//! `cargo xtask test gateways` runs it and prints the matrix; words behind `--` select checks by name, such as
//! `istio::` or `killed`. Checks of one gateway share what they start and run one after another.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Trial};
use onceway_gateways::isolation;
use onceway_kit::built;
use onceway_tools::Tool;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use self::checks::CHECKS;
use self::kind::{GATEWAYS, Kind};
use self::matrix::{Matrix, Outcome};
use self::stage::Stage;

mod checks;
mod install;
mod kind;
mod matrix;
mod running;
mod stage;

/// The row of the installation's page.
const INSTALL: &str = "the_commands_of_the_installation_page_lead_to_an_rr";

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    if !arguments.list {
        // There is no network to fetch anything from afterwards.
        for tool in Tool::ALL {
            tool.get()?;
        }
        for program in [built::sidecar, built::filter::path, built::filter::trapping, built::images::path] {
            program()?;
        }
        isolation::enter()?;
    }
    // They share a gateway, and two cores.
    arguments.test_threads = Some(1);
    let rows = [INSTALL].into_iter().chain(CHECKS.iter().map(|check| check.name)).collect();
    let matrix = Arc::new(Matrix::new(rows));
    let runtime = Arc::new(Runtime::new().expect("the system has threads"));
    let stage = Arc::new(Stage::new());
    let mut trials = Vec::new();
    for kind in GATEWAYS {
        let mut add = |row: &'static str, run: Cell| trials.push(trial(kind, row, run, &matrix, &runtime));
        let of_page = Arc::clone(&stage);
        let follow = move || async move {
            of_page.clear().await;
            install::follow(kind).await
        };
        add(INSTALL, Box::new(|| Box::pin(follow())));
        for check in CHECKS.iter().filter(|check| kind.runs(check)) {
            let stage = Arc::clone(&stage);
            add(check.name, Box::new(move || Box::pin(async move { stage.run(kind, check).await })));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    print!("{matrix}");
    Ok(conclusion.exit_code())
}

/// What fills a cell of the matrix; returns a remark.
type Cell = Box<dyn FnOnce() -> LocalBoxFuture<'static, Result<String>> + Send>;

fn trial(kind: Kind, row: &'static str, run: Cell, matrix: &Arc<Matrix>, runtime: &Arc<Runtime>) -> Trial {
    let (matrix, runtime) = (Arc::clone(matrix), Arc::clone(runtime));
    Trial::test(format!("{}::{row}", kind.module()), move || {
        let began = Instant::now();
        let result = runtime.block_on(run());
        let outcome = Outcome { result, elapsed: began.elapsed() };
        matrix.record(kind, row, &outcome);
        if let Err(error) = &outcome.result {
            // At once, too: the list of failures comes after the last check.
            eprintln!("{}::{row}: {error:#}", kind.module());
        }
        outcome.result.map(drop).map_err(|error| format!("{error:?}").into())
    })
}
