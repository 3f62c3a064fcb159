//! The rules by themselves: valid, complete, and with unit tests by promtool.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Result, ensure};
use onceway_kit::cluster::deploy::repository;
use onceway_kit::prometheus::promtool;
use onceway_kit::rig::Rig;
use serde_json::Value;

use super::source::{RULES, RUNBOOKS, alerts, expressions};

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
