//! The pages of the alerts.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use onceway_kit::cluster::deploy::repository;

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

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
