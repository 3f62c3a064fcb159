//! What was measured, as text for people and as raw data.

use std::fmt::Write;

use super::contender::{COMPARISONS, Comparison, Contender};
use crate::bench::bar::Verdict;
use crate::bench::compare::{added, ratio};
use crate::bench::samples::{PERCENTILES, Samples};

/// What may be added at each of [`PERCENTILES`], in milliseconds: the field's budget.
const BUDGET_MS: [f64; 3] = [10.0, 20.0, 30.0];

/// What was measured of one contender.
pub(super) struct Measured {
    pub(super) contender: Contender,
    pub(super) samples: Samples,
    /// Calls that the replicas made to the API server meanwhile.
    pub(super) api_calls: f64,
}

/// All that was measured.
pub(super) struct Report(pub(super) Vec<Measured>);

impl Report {
    fn samples(&self, contender: Contender) -> Option<&Samples> {
        self.0.iter().find(|measured| measured.contender == contender).map(|measured| &measured.samples)
    }

    /// Each comparison with both its sides.
    fn comparisons(&self) -> impl Iterator<Item = (&'static Comparison, &Samples, &Samples)> {
        COMPARISONS
            .iter()
            .filter_map(|compared| Some((compared, self.samples(compared.ours)?, self.samples(compared.bare)?)))
    }

    /// Tables of the times, of the ratios and of the milliseconds added, and the verdict.
    pub(super) fn text(&self) -> String {
        let mut text = self.times();
        let _ = writeln!(text, "\n{:<28}{:<22}{:<22}{:<22}", "times as long as bare", "P50", "P95", "P99");
        for (compared, ours, bare) in self.comparisons() {
            let figures = PERCENTILES.map(|share| ratio(ours, bare, share).to_string());
            let _ = writeln!(text, "{:<28}{:<22}{:<22}{:<22}", compared.ours, figures[0], figures[1], figures[2]);
        }
        let _ = writeln!(text, "\n{:<28}{:<22}{:<22}{:<22}", "milliseconds added", "P50", "P95", "P99");
        for (compared, ours, bare) in self.comparisons() {
            let figures = PERCENTILES.map(|share| added(ours, bare, share).to_string());
            let _ = writeln!(text, "{:<28}{:<22}{:<22}{:<22}", compared.ours, figures[0], figures[1], figures[2]);
        }
        text.push('\n');
        for (verdict, bar) in self.verdicts() {
            let _ = writeln!(text, "{verdict:<9}{bar}");
        }
        text
    }

    /// Whether each bar is met.
    pub(super) fn verdicts(&self) -> Vec<(Verdict, String)> {
        let mut verdicts = Vec::new();
        for (Comparison { ours: name, bar, .. }, ours, bare) in self.comparisons() {
            if let Some(bar) = *bar {
                verdicts.push((Verdict::at_most(bar, ratio(ours, bare, 0.5)), format!("{name}: P50 at most {bar}x")));
            }
            for (share, budget) in PERCENTILES.into_iter().zip(BUDGET_MS) {
                let what = format!("{name}: P{:.0} at most {budget} ms added", share * 100.0);
                verdicts.push((Verdict::at_most(budget, added(ours, bare, share)), what));
            }
        }
        verdicts
    }

    fn times(&self) -> String {
        let mut text =
            format!("{:<28}{:>8}{:>8}{:>8}{:>9}{:>11}\n", "milliseconds", "P50", "P95", "P99", "samples", "API calls");
        for Measured { contender, samples, api_calls } in &self.0 {
            let all = samples.all();
            let [p50, p95, p99] = PERCENTILES.map(|share| all.percentile(share));
            let calls = if *api_calls > 0.0 { format!("{:.1}", api_calls / all.len() as f64) } else { "-".to_owned() };
            let _ = writeln!(text, "{contender:<28}{p50:>8.2}{p95:>8.2}{p99:>8.2}{:>9}{calls:>11}", all.len());
        }
        text
    }

    /// Every sample, as CSV, in the order in which they were taken within each contender.
    pub(super) fn raw(&self) -> String {
        let mut csv = String::from("contender,round,milliseconds\n");
        for Measured { contender, samples, .. } in &self.0 {
            for (round, times) in samples.rounds().iter().enumerate() {
                for time in times {
                    let _ = writeln!(csv, "\"{contender}\",{round},{time:.3}");
                }
            }
        }
        csv
    }
}
