//! The cost of asking who a sender is and what it may: the same storms without authentication, and with a token.

use anyhow::Result;

use super::Depth;
use super::bar::{Bar, BarCheck};
use super::contender::Contender;
use super::data::{At, Data};
use super::load::RATE;
use super::page::Report;
use super::pair::{FIFTY, ONE, Pair};
use super::rounds::Case;

/// Its latency is that of a signal alone.
const ALONE: Case = Case { name: "one incident, 1 at a time", at_once: 1, incidents: 1, hot: false, signals: None };
const PAIR: Pair = Pair { ours: Contender::Onceway, theirs: Contender::Authenticated, cases: &[ALONE, ONE, FIFTY] };
/// The least rate with authentication, relative to that without.
const LEAST: f64 = 0.98;

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    PAIR.measure(depth).await
}

/// Builds the report.
pub(super) fn report(data: &Data) -> Report {
    let mut report = PAIR.report(data, "to replicas that authenticate nobody, and with a token to replicas that do");
    for case in [ONE, FIFTY] {
        let at = |contender: Contender| At { case: case.name, contender: contender.name(), x: 0.0 };
        let what = format!("{}: {RATE} with authentication over without", case.name);
        let ratio = data.ratio(at(PAIR.theirs), at(PAIR.ours), RATE);
        report.bars.push(BarCheck::new(what, ratio, Bar::AtLeast(LEAST)));
    }
    report
}
