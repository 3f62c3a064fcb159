//! What affinity buys: the same storms with every signal at its owner, and at any replica.

use anyhow::Result;

use super::Depth;
use super::contender::Contender;
use super::data::Data;
use super::page::Report;
use super::pair::{FIFTY, ONE, Pair};

const PAIR: Pair = Pair { ours: Contender::Onceway, theirs: Contender::Sprayed, cases: &[ONE, FIFTY] };

/// Measures.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    PAIR.measure(depth).await
}

/// Draws conclusions.
pub(super) fn report(data: &Data) -> Report {
    PAIR.report(
        data,
        "through Envoy with the filter and the hash that ship, and with the filter but replicas at random",
    )
}
