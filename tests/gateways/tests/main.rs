//! The gateway matrix: each check through each gateway, with the gateway's real control plane.
//!
//! `cargo xtask test gateways` runs it and prints the matrix; words behind `--` select checks by name, such as
//! `istio::` or `killed`. Checks of one gateway share what they start and run one after another; two gateways run side by side.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use onceway_gateways::isolation;
use onceway_kit::built;
use onceway_tools::Tool;

use self::checks::CHECKS;
use self::column::{Cell, Column};
use self::kind::{Kind, LANES};
use self::matrix::Matrix;

mod checks;
mod column;
mod install;
mod kind;
mod matrix;
mod running;

/// The row of the installation's page.
const INSTALL: &str = "the_commands_of_the_installation_page_lead_to_an_rr";

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    if !arguments.list {
        isolation::allow()?;
        // There is no network to fetch anything from afterwards.
        for tool in Tool::ALL {
            tool.get()?;
        }
        for program in [built::sidecar, built::filter::path, built::filter::trapping, built::images::path] {
            program()?;
        }
    }
    // One for each lane: each waits most of the time, so two cores are enough for two.
    arguments.test_threads = Some(LANES.len());
    let rows = [INSTALL].into_iter().chain(CHECKS.iter().map(|check| check.name)).collect();
    let matrix = Arc::new(Matrix::new(rows));
    let [first, second] =
        LANES.map(|kinds| kinds.into_iter().flat_map(|kind| column(kind, &matrix)).collect::<Vec<_>>());
    let conclusion = libtest_mimic::run(&arguments, in_turns(first, second));
    print!("{matrix}");
    Ok(conclusion.exit_code())
}

/// The checks of a column, in their order.
fn column(kind: Kind, matrix: &Arc<Matrix>) -> Vec<Trial> {
    let column = Arc::new(Column::new(kind));
    let checks = CHECKS.iter().filter(|check| kind.runs(check)).map(|check| (check.name, Cell::Check(check)));
    let cells = [(INSTALL, Cell::Install)].into_iter().chain(checks);
    cells.map(|(row, cell)| trial(&column, row, cell, matrix)).collect()
}

/// One of each in turns, so that as many threads take as many from either.
fn in_turns<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(first.next());
        all.extend(second.next());
        if all.len() == before {
            return all;
        }
    }
}

fn trial(column: &Arc<Column>, row: &'static str, cell: Cell, matrix: &Arc<Matrix>) -> Trial {
    let (column, matrix) = (Arc::clone(column), Arc::clone(matrix));
    Trial::test(format!("{}::{row}", column.kind.module()), move || {
        let outcome = column.run(cell);
        matrix.record(column.kind, row, &outcome);
        if let Err(error) = &outcome.result {
            // At once, too: the list of failures comes after the last check.
            eprintln!("{}::{row}: {error:#}", column.kind.module());
        }
        outcome.result.map(drop).map_err(|error| format!("{error:?}").into())
    })
}
