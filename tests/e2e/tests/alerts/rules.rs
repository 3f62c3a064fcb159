//! The rules by themselves: valid, complete, and with unit tests by promtool.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, ensure};
use onceway_kit::cluster::deploy::repository;
use onceway_kit::prometheus::promtool;
use onceway_kit::rig::Rig;
use serde_json::Value;

use super::runbooks;
use super::source::{RULES, RUNBOOKS, alerts, expressions};

/// Labels whose values are a closed set.
const CLOSED: [&str; 7] = ["check", "condition", "kind", "outcome", "problem", "reason", "result"];
/// The unit tests, below the repository's root.
const TESTS: [&str; 2] = ["deploy/rules/tests/sidecar.yaml", "deploy/rules/tests/envoy.yaml"];

#[tokio::test]
async fn promtool_accepts_the_rules_and_their_unit_tests_pass() -> Result<()> {
    println!("{}", promtool(&["check", "rules", "--lint=all", "--lint-fatal", RULES], "").await?);
    println!("{}", promtool(&[&["test", "rules"][..], &TESTS].concat(), "").await?);
    Ok(())
}

#[test]
fn each_alert_says_whom_it_calls_what_is_wrong_and_where_to_read_on() -> Result<()> {
    let alerts = alerts()?;
    ensure!(!alerts.is_empty(), "no alerts");
    for alert in &alerts {
        let name = &alert.name;
        ensure!(["critical", "warning"].contains(&alert.severity.as_str()), "{name} is {}", alert.severity);
        let annotation = |key: &str| alert.annotations[key].as_str().unwrap_or_default();
        ensure!(annotation("runbook_url") == format!("{RUNBOOKS}{name}.md"), "{name}: {}", annotation("runbook_url"));
        let summary = annotation("summary");
        ensure!(summary.ends_with('.') && summary.len() <= 100, "{name}: {summary}");
        ensure!(annotation("description").contains("{{"), "{name}: its description names nothing");
        ensure!(name.starts_with("Onceway"), "{name}");
    }
    let names: BTreeSet<&String> = alerts.iter().map(|alert| &alert.name).collect();
    assert_eq!(names.len(), alerts.len(), "two alerts of one name");
    Ok(())
}

#[test]
fn each_selector_names_the_job_so_that_no_other_program_is_meant() -> Result<()> {
    // kubernaut's gateway has metrics of the same names.
    for (name, expression) in expressions()? {
        let selectors = expression.matches('{').count();
        let with_job = expression
            .split('{')
            .skip(1)
            .filter(|rest| rest.split('}').next().is_some_and(|labels| labels.contains(r#"job="onceway"#)));
        assert_eq!(with_job.count(), selectors, "{name}: {expression}");
        let metrics = expression.matches("gateway_").count() + expression.matches("envoy_").count();
        ensure!(metrics == 0 || selectors > 0, "{name}: {expression}");
    }
    Ok(())
}

/// The alert names that a test file expects to fire, and those that it expects to be silent.
fn tested() -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for file in TESTS {
        let tests: Value = serde_saphyr::from_str(&fs::read_to_string(repository().join(file))?)?;
        for case in tests["tests"].as_array().into_iter().flatten() {
            for check in case["promql_expr_test"].as_array().into_iter().flatten() {
                let expression = check["expr"].as_str().unwrap_or_default();
                let name = expression.split("alertname=\"").nth(1).and_then(|rest| rest.split('"').next());
                let Some(name) = name else { continue };
                let fires = check["exp_samples"].as_array().is_some_and(|samples| !samples.is_empty());
                if fires { &mut firing } else { &mut silent }.insert(name.to_owned());
            }
        }
    }
    Ok((firing, silent))
}

#[test]
fn each_alert_has_a_unit_test_that_it_fires_and_one_that_it_is_silent() -> Result<()> {
    let names: BTreeSet<String> = alerts()?.into_iter().map(|alert| alert.name).collect();
    let (firing, silent) = tested()?;
    assert_eq!(firing, names);
    assert_eq!(silent, names);
    Ok(())
}

/// The values that a label of our metrics can have, by docs/operations/metrics.md, which the sidecar's own tests hold against what it
/// shows; only of labels whose values the page lists.
fn documented() -> Result<BTreeMap<String, BTreeSet<String>>> {
    let page = fs::read_to_string(repository().join("docs/operations/metrics.md"))?;
    let (_, labels) = page.split_once("## Labels").context("no labels")?;
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in labels.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        let [names, of] = cells[..] else { continue };
        for name in quoted(names).into_iter().filter(|name| CLOSED.contains(&name.as_str())) {
            values.entry(name).or_default().extend(quoted(of));
        }
    }
    ensure!(values.len() == CLOSED.len(), "only {:?}", values.keys());
    Ok(values)
}

/// The values of labels in the selectors of our metrics: `gateway_x{a="b",c=~"d|e"}`.
fn selected(text: &str) -> BTreeSet<(String, String)> {
    let mut selected = BTreeSet::new();
    for rest in text.split("gateway_").skip(1) {
        let name = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let Some((labels, _)) = name.strip_prefix('{').and_then(|rest| rest.split_once('}')) else { continue };
        for label in CLOSED {
            let of = labels.split(',').filter_map(|pair| pair.trim().strip_prefix(label));
            for value in
                of.map(|pair| pair.trim_start_matches(['=', '~', '!', '"', '\\']).trim_end_matches(['"', '\\']))
            {
                selected
                    .extend(value.split('|').map(|value| (label.to_owned(), value.trim_end_matches('\\').to_owned())));
            }
        }
    }
    selected
}

#[test]
fn each_value_of_a_label_is_one_that_the_sidecars_have() -> Result<()> {
    let documented = documented()?;
    let mut sources = vec![RULES.to_owned(), String::from("deploy/dashboards/onceway.json")];
    sources.extend(TESTS.map(str::to_owned));
    let mut checked = 0;
    let mut texts = Vec::new();
    for source in sources {
        texts.push((source.clone(), fs::read_to_string(repository().join(source))?));
    }
    texts.extend(runbooks::queries()?);
    for (source, text) in texts {
        for (label, value) in selected(&text) {
            checked += 1;
            ensure!(documented[&label].contains(&value), "{source}: no sidecar shows {label}={value:?}");
        }
    }
    ensure!(checked > 20, "only {checked} values");
    Ok(())
}

#[tokio::test]
async fn promtool_finds_nothing_to_lint_in_the_metrics_of_a_replica() -> Result<()> {
    // A name of kubernaut's gateway stays as it is there: its dashboards use it.
    const KUBERNAUTS: [&str; 0] = [];
    let rig = Rig::replicas(1).start().await?;
    rig.alert(0, &onceway_kit::payload::Incident::new("prod", "payment-api"), 0).await?;
    let exposition = rig.sidecar(0).scrape().await?;
    let findings = match promtool(&["check", "metrics"], exposition.text()).await {
        Ok(printed) => printed,
        Err(error) => error.to_string(),
    };
    let ours: Vec<&str> =
        findings.lines().filter(|line| !KUBERNAUTS.iter().any(|name| line.starts_with(name))).collect();
    ensure!(ours.iter().all(|line| line.trim().is_empty()), "{findings}");
    Ok(())
}
