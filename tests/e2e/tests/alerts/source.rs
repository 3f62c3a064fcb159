//! The rule file, as far as tests read it.

use std::fs;

use anyhow::{Context, Result};
use onceway_kit::cluster::deploy::repository;
use serde_json::Value;

/// The rule file, below the repository's root.
pub(super) const RULES: &str = "deploy/rules/onceway.yaml";
/// The base of every `runbook_url` in it, which the chart replaces.
pub(super) const RUNBOOKS: &str = "docs/operations/alerts/";

/// An alerting rule.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) severity: String,
    /// `for`, in minutes.
    pub(super) minutes: u64,
    pub(super) annotations: Value,
}

/// Its text.
pub(super) fn text() -> Result<String> {
    fs::read_to_string(repository().join(RULES)).with_context(|| format!("cannot read {RULES}"))
}

/// Every rule, in the file's order.
fn rules() -> Result<Vec<Value>> {
    let file: Value = serde_saphyr::from_str(&text()?)?;
    let groups = file["groups"].as_array().context("no groups")?;
    Ok(groups.iter().filter_map(|group| group["rules"].as_array()).flatten().cloned().collect())
}

/// The expression of every rule, and what the rule is called.
pub(super) fn expressions() -> Result<Vec<(String, String)>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let of = |rule: &Value| Some((text(&rule["alert"]).or_else(|| text(&rule["record"]))?, text(&rule["expr"])?));
    Ok(rules()?.iter().filter_map(of).collect())
}

/// Every alert, in the file's order.
pub(super) fn alerts() -> Result<Vec<Alert>> {
    rules()?.into_iter().filter(|rule| rule["alert"].is_string()).map(|rule| read(&rule)).collect()
}

fn read(rule: &Value) -> Result<Alert> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(&rule["alert"]);
    let minutes = match rule["for"].as_str() {
        None => 0,
        Some("1h") => 60,
        Some(minutes) => minutes
            .strip_suffix('m')
            .and_then(|minutes| minutes.parse().ok())
            .with_context(|| format!("{name}: `for` is {minutes}; say it in minutes"))?,
    };
    Ok(Alert { name, severity: text(&rule["labels"]["severity"]), minutes, annotations: rule["annotations"].clone() })
}
