//! The report of a soak.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::check::Verdict;
use super::history::History;

/// How many violations are shown; `--check` of the history file finds them all again.
const SHOWN: usize = 10;

/// Totals, injected faults, and the verdict.
pub fn text(history: &History, verdict: &Verdict) -> String {
    let totals = &verdict.totals;
    let mut text = format!("\n{}\n\n", history.command);
    let mut row = |what: &str, number: u64, more: &str| {
        let _ = writeln!(text, "{what:<28} {number:>9}{more}");
    };
    row("incidents", totals.incidents, &format!("  completed, of {} fingerprints", totals.fingerprints));
    row("signals", totals.signals, "");
    row("attempts", totals.attempts, "");
    row("acknowledged", totals.acknowledged, "  attempts with a 201 or 202 response");
    row("counted", totals.counted, "  by all RRs");
    row("ambiguous", totals.ambiguous, "  attempts with a 5xx response or none");
    row("acknowledged again", totals.again, "  for the count of an earlier attempt with the same id");
    row("given up", totals.given_up, "  signals never acknowledged");
    row("late creates", totals.late_creates, "  RRs deleted before they counted a signal");
    let faults = faults(history);
    row("faults", faults.values().map(|(injected, _)| injected).sum(), "  calls or processes");
    for (kind, (injected, periods)) in faults {
        let more = if injected == periods { String::new() } else { format!("  calls, in {periods} periods") };
        row(&format!("  {kind}"), injected, &more);
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
            "\nVerdict: exact. At most one active RemediationRequest per incident with a count at any time; every acknowledged \
             signal is counted once, and every counted signal was sent."
        }
        (_, true) => "\nVerdict: NOT EXACT. No signal was acknowledged, so the history proves nothing.",
        _ => "\nVerdict: NOT EXACT.",
    };
    text
}

/// By kind: how many calls or processes got the fault, in how many periods.
fn faults(history: &History) -> BTreeMap<&str, (u64, u64)> {
    let mut faults = BTreeMap::<&str, (u64, u64)>::new();
    for fault in &history.faults {
        let (injected, periods) = faults.entry(&fault.kind).or_default();
        *injected += fault.injected;
        *periods += 1;
    }
    faults
}
