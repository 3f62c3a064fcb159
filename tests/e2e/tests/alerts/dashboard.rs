//! The dashboard: valid, of no installation in particular, and with data in every panel of a running system.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use onceway_kit::cluster::deploy::repository;
use onceway_kit::prometheus::{Prometheus, Series};
use serde_json::Value;

/// The dashboard, below the repository's root.
const DASHBOARD: &str = "deploy/dashboards/onceway.json";
/// Grafana's units that it may use: of its list of units.
const UNITS: [&str; 6] = ["short", "s", "bytes", "percentunit", "cps", "reqps"];
/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;
/// What stands for Grafana's variables in queries to a Prometheus at the pace of the tests. Longer names first.
const VARIABLES: [(&str, &str); 3] = [("$__rate_interval", "5s"), ("$envoy_job", "onceway-envoy"), ("$job", "onceway")];
/// Points of a line.
pub(super) const POINTS: f64 = 120.0;

/// A panel with what its queries returned.
pub(super) struct Filled {
    pub(super) panel: Value,
    /// A legend and its line.
    pub(super) series: Vec<(String, Series)>,
}

fn dashboard() -> Result<Value> {
    let text = fs::read_to_string(repository().join(DASHBOARD)).with_context(|| format!("no {DASHBOARD}"))?;
    Ok(serde_json::from_str(&text)?)
}

fn panels(dashboard: &Value) -> Result<&[Value]> {
    Ok(dashboard["panels"].as_array().context("no panels")?)
}

fn is_row(panel: &Value) -> bool {
    panel["type"] == "row"
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn it_names_no_installation() -> Result<()> {
    let whole = dashboard()?;
    for key in ["id", "gnetId"] {
        ensure!(whole[key].is_null(), "{key} is of one Grafana");
    }
    ensure!(whole["uid"] == "onceway" && whole["title"] == "Onceway" && whole["schemaVersion"].as_u64() >= Some(39));
    let variables: BTreeSet<&str> =
        whole["templating"]["list"].as_array().into_iter().flatten().map(|variable| text(variable, "name")).collect();
    assert_eq!(variables, BTreeSet::from(["datasource", "envoy_job", "job"]));
    for panel in panels(&whole)?.iter().filter(|panel| !is_row(panel)) {
        let title = text(panel, "title");
        let targets = panel["targets"].as_array().context("no targets")?;
        for of in targets.iter().chain([panel]) {
            ensure!(of["datasource"]["uid"] == "${datasource}" && of["datasource"]["type"] == "prometheus", "{title}");
        }
        for target in targets {
            let query = text(target, "expr");
            ensure!(query.contains("$job\"") || query.contains("$envoy_job\""), "{title}: {query}");
            // A fixed window is too short for one scrape interval, or too long for another.
            ensure!(!query.contains('[') || query.contains("[$__rate_interval]"), "{title}: {query}");
        }
    }
    Ok(())
}

#[test]
fn each_panel_has_a_place_of_its_own_a_unit_and_says_what_it_shows() -> Result<()> {
    let whole = dashboard()?;
    let (mut ids, mut titles, mut places) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in panels(&whole)? {
        let title = text(panel, "title");
        ensure!(!title.is_empty() && titles.insert(title), "two panels {title:?}");
        ensure!(ids.insert(panel["id"].as_u64().context("no id")?), "{title}: its id");
        let place = |key: &str| panel["gridPos"][key].as_u64().with_context(|| format!("{title}: {key}"));
        let (x, y, width, height) = (place("x")?, place("y")?, place("w")?, place("h")?);
        ensure!(width > 0 && height > 0 && x + width <= COLUMNS, "{title} is wider than the grid");
        for cell in (x..x + width).flat_map(|x| (y..y + height).map(move |y| (x, y))) {
            ensure!(places.insert(cell), "{title} covers another panel");
        }
        if is_row(panel) {
            continue;
        }
        ensure!(["timeseries", "stat", "table"].contains(&text(panel, "type")), "{title}: {}", panel["type"]);
        ensure!(UNITS.contains(&text(&panel["fieldConfig"]["defaults"], "unit")), "{title}: its unit");
        ensure!(text(panel, "description").ends_with('.'), "{title}: its description");
        let targets = panel["targets"].as_array().context("no targets")?;
        let names: BTreeSet<&str> = targets.iter().map(|target| text(target, "refId")).collect();
        ensure!(!targets.is_empty() && names.len() == targets.len(), "{title}: refId");
        let needs_legend = panel["type"] == "timeseries";
        ensure!(
            !needs_legend || targets.iter().all(|target| !text(target, "legendFormat").is_empty()),
            "{title}: legend"
        );
    }
    Ok(())
}

/// The query as a Prometheus at the pace of the tests takes it.
fn concrete(query: &str) -> String {
    VARIABLES.iter().fold(query.to_owned(), |query, (name, value)| query.replace(name, value))
}

/// The names of all metrics in its queries and variables.
pub(super) async fn metrics(prometheus: &Prometheus) -> Result<BTreeSet<String>> {
    let whole = dashboard()?;
    let mut queries: Vec<String> = Vec::new();
    for panel in panels(&whole)? {
        queries.extend(panel["targets"].as_array().into_iter().flatten().map(|target| concrete(text(target, "expr"))));
    }
    for variable in whole["templating"]["list"].as_array().into_iter().flatten() {
        let inner = text(variable, "definition").strip_prefix("label_values(").and_then(|rest| rest.rsplit_once(','));
        queries.extend(inner.map(|(selector, _)| selector.to_owned()));
    }
    let mut metrics = BTreeSet::new();
    for query in queries {
        metrics.extend(prometheus.metrics_of(&query).await?);
    }
    Ok(metrics)
}

/// Every panel with its data from `start` to `end`; fails for one that has none.
pub(super) async fn fill(prometheus: &Prometheus, start: f64, end: f64) -> Result<Vec<Filled>> {
    let whole = dashboard()?;
    let mut filled = Vec::new();
    for panel in panels(&whole)? {
        let title = text(panel, "title");
        let mut series = Vec::new();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = concrete(text(target, "expr"));
            let mut lines = prometheus.query_range(&query, start, end, (end - start) / POINTS).await?;
            lines.retain(|line| line.points.iter().any(|(_, value)| value.is_finite()));
            ensure!(!lines.is_empty(), "{title}: no data for {query}");
            for line in lines {
                series.push((legend(text(target, "legendFormat"), &line)?, line));
            }
        }
        filled.push(Filled { panel: panel.clone(), series });
    }
    Ok(filled)
}

/// The legend of a line: `{{label}}` is its label's value.
fn legend(format: &str, line: &Series) -> Result<String> {
    let mut legend = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once("{{") {
        let (label, after) = after.split_once("}}").with_context(|| format!("a legend {format}"))?;
        let value = line.labels.get(label).with_context(|| format!("{format}: no such label of {:?}", line.labels))?;
        legend += before;
        legend += value;
        rest = after;
    }
    Ok(legend + rest)
}
