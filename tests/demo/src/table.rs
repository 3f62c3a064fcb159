//! The verdict as text.

use std::fmt::Write;

use onceway_kit::payload::Incident;
use onceway_kit::rig::Verdict;
use onceway_kit::storm::Report;

/// Both storms and their API writes.
pub(super) struct Storms {
    pub(super) first: Report,
    pub(super) second: Report,
    pub(super) writes_of_first: usize,
    /// API writes of both storms.
    pub(super) writes: usize,
    /// The replica that was killed.
    pub(super) victim: usize,
    /// Whether both verdicts are exact.
    pub(super) exact: bool,
}

/// The results of both storms.
pub(super) fn text(storms: &Storms, verdict: &Verdict, incidents: &[Incident]) -> String {
    let mut text = String::from("\nincident            RRs  acknowledged   counted  attempts\n");
    for incident in incidents {
        let fingerprint = incident.fingerprint();
        let Some(row) = verdict.incidents.iter().find(|row| row.fingerprint == fingerprint) else { continue };
        let mark = if row.is_exact() { "" } else { "  NOT EXACT" };
        let (acknowledged, counted, attempts) = (row.acknowledged, row.counted, row.attempts);
        let rrs = row.rrs.len();
        let _ = writeln!(
            text,
            "{:<18} {rrs:>4} {acknowledged:>13} {counted:>9} {attempts:>9}{mark}",
            incident.deployment()
        );
    }
    let killed = format!("second storm, onceway-{} killed", storms.victim);
    storm(&mut text, "first storm", &storms.first, storms.writes_of_first);
    storm(&mut text, &killed, &storms.second, storms.writes - storms.writes_of_first);
    text += if storms.exact {
        "\nVerdict: exact. One RemediationRequest per incident, and every acknowledged signal is counted in it."
    } else {
        "\nVerdict: NOT EXACT."
    };
    if verdict.unacknowledged > 0 {
        let _ = write!(text, " {} signals were never acknowledged.", verdict.unacknowledged);
    }
    text
}

fn storm(text: &mut String, what: &str, report: &Report, writes: usize) {
    let (total, latency) = (report.total(), &report.latency);
    let per_signal = writes as f64 / u64::max(total.acknowledged, 1) as f64;
    let _ = writeln!(
        text,
        "\n{what}: {} signals in {:.1} s, {:.0}/s; {writes} API writes, {per_signal:.3} per signal",
        total.signals,
        report.elapsed.as_secs_f64(),
        report.rate(),
    );
    let ms = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
    let retried = total.attempts - total.signals;
    let _ = writeln!(
        text,
        "  latency p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, max {:.1} ms; {retried} retried",
        ms(0.5),
        ms(0.9),
        ms(0.99),
        ms(1.0),
    );
}
