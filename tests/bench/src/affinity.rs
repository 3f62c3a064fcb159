//! The effect of affinity: the same storms with every signal sent to its owner, and to random replicas.

use anyhow::Result;

use super::Depth;
use super::contender::Contender;
use super::data::Data;
use super::page::Report;
use super::pair::{FIFTY, ONE, Pair};

const PAIR: Pair = Pair { ours: Contender::Onceway, theirs: Contender::Sprayed, cases: &[ONE, FIFTY] };

/// Runs the benchmark.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    PAIR.measure(depth).await
}

/// Builds the report.
pub(super) fn report(data: &Data) -> Report {
    PAIR.report(data, "through Envoy with the shipped filter and hash policy, and with the filter but random replicas")
}
