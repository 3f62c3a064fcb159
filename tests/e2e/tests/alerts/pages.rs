//! The pages of the alerts.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use onceway_kit::cluster::deploy::repository;
use serde_json::Value;

use super::source::{RUNBOOKS, alerts};

/// What every page of an alert has, in this order.
const SECTIONS: [&str; 4] = ["## What it means", "## Confirm", "## Do", "## Do not"];
/// The folder of the runbooks, and its first page.
const OPERATIONS: &str = "docs/operations";

#[test]
fn each_alert_has_a_page_and_each_page_has_its_alert() -> Result<()> {
    let names: BTreeSet<String> = alerts()?.into_iter().map(|alert| alert.name).collect();
    let pages = fs::read_dir(repository().join(RUNBOOKS)).context(RUNBOOKS)?;
    let pages = pages.map(|page| Ok(page?.file_name().to_string_lossy().into_owned()));
    let pages = pages.collect::<Result<Vec<_>>>()?;
    let pages: BTreeSet<String> = pages.iter().map(|page| page.trim_end_matches(".md").to_owned()).collect();
    assert_eq!(pages, names);
    Ok(())
}

#[test]
fn each_page_of_an_alert_has_its_severity_and_the_same_sections() -> Result<()> {
    for alert in alerts()? {
        let page = format!("{RUNBOOKS}{}.md", alert.name);
        let text = fs::read_to_string(repository().join(&page))?;
        ensure!(text.starts_with(&format!("# {}\n\n{} · ", alert.name, capital(&alert.severity))), "{page}: its head");
        let found: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(found, SECTIONS, "{page}");
        let summary = alert.annotations["summary"].as_str().unwrap_or_default();
        ensure!(text.contains(summary), "{page} does not have the summary: {summary}");
    }
    Ok(())
}

#[test]
fn the_first_page_lists_every_alert_with_its_severity_and_time_and_every_other_page() -> Result<()> {
    let index = fs::read_to_string(repository().join(OPERATIONS).join("README.md"))?;
    for alert in alerts()? {
        let row = format!("| [{0}](alerts/{0}.md) | {1} | {2} min |", alert.name, alert.severity, alert.minutes);
        ensure!(index.contains(&row), "docs/operations/README.md has no row {row}");
    }
    for page in fs::read_dir(repository().join(OPERATIONS))? {
        let name = page?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") && name != "README.md" {
            ensure!(index.contains(&format!("({name})")), "docs/operations/README.md does not link {name}");
        }
    }
    Ok(())
}

/// The alerts that each alert mutes, by the inhibitions on the first page.
fn inhibitions(names: &BTreeSet<String>) -> Result<Vec<(BTreeSet<String>, BTreeSet<String>)>> {
    let index = fs::read_to_string(repository().join(OPERATIONS).join("README.md"))?;
    let (_, block) = index.split_once("```yaml\n").context("no inhibitions")?;
    let rules: Value = serde_saphyr::from_str(block.split("```").next().unwrap_or_default())?;
    let named = |matchers: &Value| {
        let matcher = matchers[0].as_str().context("no matcher")?;
        let patterns = matcher.trim_start_matches("alertname").trim_matches(['=', '~', '"']);
        let mut found = BTreeSet::new();
        for pattern in patterns.split('|') {
            let prefix = pattern.strip_suffix(".*");
            let of = names.iter().filter(|name| prefix.map_or(*name == pattern, |prefix| name.starts_with(prefix)));
            let before = found.len();
            found.extend(of.cloned());
            ensure!(found.len() > before, "{matcher}: no alert {pattern}");
        }
        Ok(found)
    };
    let rules = rules["inhibit_rules"].as_array().context("no rules")?;
    rules.iter().map(|rule| Ok((named(&rule["source_matchers"])?, named(&rule["target_matchers"])?))).collect()
}

#[test]
fn an_inhibition_names_alerts_and_mutes_a_page_only_by_what_explains_it() -> Result<()> {
    let names: BTreeSet<String> = alerts()?.into_iter().map(|alert| alert.name).collect();
    let inhibitions = inhibitions(&names)?;
    let muted_by = |target: &str| {
        let of = inhibitions.iter().filter(|(_, targets)| targets.contains(target));
        of.flat_map(|(sources, _)| sources.iter().map(String::as_str)).collect::<BTreeSet<_>>()
    };
    // Nobody gets signals: neither a budget nor a slow API server explains that.
    assert_eq!(muted_by("OncewayNoHealthyReplica"), BTreeSet::from(["OncewayDown", "OncewayNoReplicaReady"]));
    assert_eq!(muted_by("OncewayNoReplicaReady"), BTreeSet::from(["OncewayRightMissing"]));
    for page in ["OncewayFailsRequests", "OncewayEnvoyFailsRequests"] {
        let expected = ["OncewayApiServerUnreachable", "OncewayDown", "OncewayNoReplicaReady"];
        assert_eq!(muted_by(page), BTreeSet::from(expected), "{page}");
    }
    for cause in [
        "OncewayDown",
        "OncewayRightMissing",
        "OncewayApiServerUnreachable",
        "OncewayBudgetExceeded",
        "OncewayCrashLoop",
    ] {
        assert_eq!(muted_by(cause), BTreeSet::new(), "{cause}");
    }
    let budget = inhibitions.iter().filter(|(sources, _)| sources.contains("OncewayBudgetExceeded"));
    let muted: BTreeSet<&String> = budget.flat_map(|(_, targets)| targets).collect();
    let is_of_a_budget =
        |name: &&String| name.starts_with("OncewaySignalsFailing") || *name == "OncewayBudgetNearlyUsed";
    ensure!(!muted.is_empty() && muted.iter().all(is_of_a_budget), "{muted:?}");
    Ok(())
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
