//! The effect of a change of the sidecar: the same storms against this program and one built before the change.

use anyhow::Result;

use super::Depth;
use super::contender::Contender;
use super::data::Data;
use super::page::Report;
use super::pair::{FIFTY, FIVE_HUNDRED, ONE, Pair};

const PAIR: Pair = Pair { ours: Contender::Before, theirs: Contender::Onceway, cases: &[ONE, FIFTY, FIVE_HUNDRED] };

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    PAIR.measure(depth).await
}

/// Builds the report.
pub(super) fn report(data: &Data) -> Report {
    PAIR.report(data, "to replicas of the program in $ONCEWAY_BEFORE, and to replicas of this program")
}
