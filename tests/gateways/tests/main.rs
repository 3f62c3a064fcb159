//! The gateway matrix: each check through each gateway, with the gateway's real control plane.
//!
//! `cargo xtask test gateways` runs it and prints the matrix; words behind `--` select checks by name, such as
//! `istio::` or `killed`. Checks of one gateway share what they start and run one after another; gateways run side by side.

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
use self::lane::Lane;
use self::matrix::Matrix;

mod checks;
mod column;
mod install;
mod kind;
mod lane;
mod matrix;
mod running;

/// The row of the installation's page.
const INSTALL: &str = "the_commands_of_the_installation_page_lead_to_an_rr";

/// The variable that leaves the matrix out.
const LEFT_OUT: &str = "ONCEWAY_WITHOUT_GATEWAYS";

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    if std::env::var_os(LEFT_OUT).is_some() {
        println!("the gateway matrix is left out (${LEFT_OUT}); `cargo xtask test gateways` runs it");
        return Ok(ExitCode::SUCCESS);
    }
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
    let rows = [INSTALL].into_iter().chain(CHECKS.iter().map(|check| check.name)).collect();
    let matrix = Arc::new(Matrix::new(rows));
    let lanes: Vec<_> = LANES.iter().map(|kinds| lane(kinds, &arguments, &matrix)).collect();
    // Some wait for their turn while others run, so that a lane waits for no other.
    arguments.test_threads = Some(2 * LANES.len());
    let conclusion = libtest_mimic::run(&arguments, in_turns(lanes));
    print!("{matrix}");
    Ok(conclusion.exit_code())
}

/// The checks of a lane that these arguments select, in their order.
fn lane(kinds: &[Kind], arguments: &Arguments, matrix: &Arc<Matrix>) -> Vec<Trial> {
    let lane = Arc::new(Lane::default());
    let cells = kinds.iter().flat_map(|kind| cells(Arc::new(Column::new(*kind))));
    let selected = cells.filter(|(column, row, _)| is_selected(&name(column, row), arguments));
    selected.enumerate().map(|(number, cell)| trial(cell, number, Arc::clone(&lane), Arc::clone(matrix))).collect()
}

/// The cells of a column, each with its row.
fn cells(column: Arc<Column>) -> impl Iterator<Item = (Arc<Column>, &'static str, Cell)> {
    let kind = column.kind;
    let checks = CHECKS.iter().filter(move |check| kind.runs(check)).map(|check| (check.name, Cell::Check(check)));
    [(INSTALL, Cell::Install)].into_iter().chain(checks).map(move |(row, cell)| (Arc::clone(&column), row, cell))
}

fn name(column: &Column, row: &str) -> String {
    format!("{}::{row}", column.kind.module())
}

/// Whether the arguments select the test of this name. The harness selects, too; the turns must be numbered before.
fn is_selected(name: &str, arguments: &Arguments) -> bool {
    let fits = |filter: &String| if arguments.exact { name == filter } else { name.contains(filter.as_str()) };
    arguments.filter.iter().all(fits) && !arguments.skip.iter().any(fits)
}

/// One of each lane in turns, so that each begins at once and no thread waits for a check that no thread has.
fn in_turns<T>(lanes: Vec<Vec<T>>) -> Vec<T> {
    let mut lanes: Vec<_> = lanes.into_iter().map(Vec::into_iter).collect();
    let longest = lanes.iter().map(ExactSizeIterator::len).max().unwrap_or_default();
    (0..longest).flat_map(|_| lanes.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}

fn trial(
    (column, row, cell): (Arc<Column>, &'static str, Cell),
    number: usize,
    lane: Arc<Lane>,
    matrix: Arc<Matrix>,
) -> Trial {
    Trial::test(name(&column, row), move || {
        let _turn = lane.wait(number);
        let outcome = column.run(cell);
        matrix.record(column.kind, row, &outcome);
        if let Err(error) = &outcome.result {
            // At once, too: the list of failures comes after the last check.
            eprintln!("{}: {error:#}", name(&column, row));
        }
        outcome.result.map(drop).map_err(|error| format!("{error:?}").into())
    })
}
