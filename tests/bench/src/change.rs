//! What a change of the sidecar brings: the same storms against the program that was built before it.

use anyhow::Result;

use super::Depth;
use super::contender::Contender;
use super::data::Data;
use super::page::Report;
use super::pair::{FIFTY, FIVE_HUNDRED, ONE, Pair};

const PAIR: Pair = Pair { ours: Contender::Before, theirs: Contender::Onceway, cases: &[ONE, FIFTY, FIVE_HUNDRED] };

/// Measures.
pub(super) async fn measure(depth: Depth) -> Result<Data> {
    PAIR.measure(depth).await
}

/// Draws conclusions.
pub(super) fn report(data: &Data) -> Report {
    PAIR.report(data, "to replicas of the program that $ONCEWAY_BEFORE names, and to replicas of this one")
}
