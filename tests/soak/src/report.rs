//! The last lines of a soak.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::check::Verdict;
use super::history::History;

/// How many violations are shown; the file has them all.
const SHOWN: usize = 10;

/// What happened, what went wrong on purpose, and the verdict.
pub fn text(history: &History, verdict: &Verdict) -> String {
    let totals = &verdict.totals;
    let mut text = format!("\n{}\n\n", history.command);
    let mut row = |what: &str, number: u64, more: &str| {
        let _ = writeln!(text, "{what:<28} {number:>9}{more}");
    };
    row("incidents", totals.incidents, &format!("  of {} fingerprints, each ended", totals.fingerprints));
    row("signals", totals.signals, "");
    row("attempts", totals.attempts, "");
    row("acknowledged", totals.acknowledged, "  attempts answered 201 or 202");
    row("counted", totals.counted, "  in all RRs together");
    row("ambiguous", totals.ambiguous, "  attempts answered 5xx or not at all");
    row("given up", totals.given_up, "  signals never acknowledged");
    row("late creates", totals.late_creates, "  removed before anything was counted in them");
    let faults = faults(history);
    row("faults", faults.values().map(|(hits, _)| hits).sum(), "");
    for (kind, (hits, times)) in faults {
        let more = if hits == times { String::new() } else { format!("  calls, in {times} strikes") };
        row(&format!("  {kind}"), hits, &more);
    }
    row("duplicates", totals.duplicates, "");
    row("lost", totals.lost, "");
    row("excess", totals.excess, "");
    for violation in verdict.violations.iter().take(SHOWN) {
        let _ = writeln!(text, "! {violation}");
    }
    if let Some(more) = verdict.violations.len().checked_sub(SHOWN + 1) {
        let _ = writeln!(text, "! and {} more", more + 1);
    }
    text += match (verdict.is_exact(), verdict.violations.is_empty()) {
        (true, _) => {
            "\nVerdict: exact. One active RemediationRequest per incident at any time; every acknowledged signal is counted \
             once, and everything that is counted was sent."
        }
        (_, true) => "\nVerdict: NOT EXACT. Nothing was acknowledged, so that nothing is proven.",
        _ => "\nVerdict: NOT EXACT.",
    };
    text
}

/// By kind: how often it hit, in how many strikes.
fn faults(history: &History) -> BTreeMap<&str, (u64, u64)> {
    let mut faults = BTreeMap::<&str, (u64, u64)>::new();
    for fault in &history.faults {
        let (hits, times) = faults.entry(&fault.kind).or_default();
        *hits += fault.hits;
        *times += 1;
    }
    faults
}
