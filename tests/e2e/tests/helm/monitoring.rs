//! What the chart makes for Prometheus and Grafana.

use std::fs;

use anyhow::{Context, Result, ensure};
use onceway_kit::cluster::deploy::repository;
use onceway_kit::prometheus::promtool;
use onceway_kit::scratch::Scratch;
use serde_json::Value;

use super::{Helm, none_of, object};

const RULES: &str = "monitoring.prometheusRule.enabled=true";

/// The rule file of the repository with other jobs and another base of the runbooks.
fn source(job: &str, envoy_job: &str, runbooks: &str) -> Result<Value> {
    let text = fs::read_to_string(repository().join("deploy/rules/onceway.yaml"))?;
    let text = text.replace("job=\"onceway-envoy\"", &format!("job=\"{envoy_job}\""));
    let text = text.replace("job=\"onceway\"", &format!("job=\"{job}\""));
    Ok(serde_saphyr::from_str(&text.replace("docs/operations/alerts", runbooks))?)
}

/// The groups without the label that the chart adds to each alert.
fn groups(rule: &Value) -> Result<Value> {
    let mut groups = rule["spec"]["groups"].clone();
    for group in groups.as_array_mut().context("no groups")? {
        for rule in group["rules"].as_array_mut().context("no rules")? {
            let alert = rule["alert"].is_string();
            let labels = rule.get_mut("labels").and_then(Value::as_object_mut);
            let namespace = labels.and_then(|labels| labels.remove("namespace"));
            ensure!(!alert || namespace == Some("onceway".into()), "an alert without its namespace: {rule}");
        }
    }
    Ok(groups)
}

#[tokio::test]
async fn the_rules_are_those_of_the_repository_with_the_jobs_of_the_release() -> Result<()> {
    let helm = Helm::offline()?;
    let runbooks = "monitoring.prometheusRule.runbooks=https://wiki.example.com/onceway/";
    let objects = helm.template(&["--set", RULES, "--set", "gateway.kind=envoy", "--set", runbooks]).await?;
    let rule = object(&objects, "PrometheusRule", "onceway")?;
    let expected = source("onceway/onceway", "onceway/onceway-envoy", "https://wiki.example.com/onceway")?;
    assert_eq!(groups(rule)?, expected["groups"]);
    let scratch = Scratch::new("rules")?;
    let file = scratch.path().join("rules.yaml");
    fs::write(&file, rule["spec"].to_string())?;
    promtool(&["check", "rules", &file.to_string_lossy()], "").await.map(drop)
}

#[tokio::test]
async fn rules_about_envoy_need_its_job() -> Result<()> {
    let helm = Helm::offline()?;
    let groups = async |values: &str| {
        let objects = helm.template(&["--set", RULES, "--set", values]).await?;
        let rule = object(&objects, "PrometheusRule", "onceway")?.clone();
        anyhow::Ok(rule["spec"]["groups"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(groups("gateway.kind=istio").await?, 2);
    assert_eq!(groups("gateway.kind=istio,monitoring.prometheusRule.envoyJob=istio-ingress").await?, 3);
    Ok(())
}

#[tokio::test]
async fn with_a_control_plane_only_what_it_does_not_rename_is_asked_of_envoy() -> Result<()> {
    let helm = Helm::offline()?;
    for (kind, is_ours) in [("none", true), ("envoyGateway", false), ("istio", false)] {
        let values = format!("gateway.kind={kind},monitoring.prometheusRule.envoyJob=edge");
        let objects = helm.template(&["--set", RULES, "--set", &values]).await?;
        let rule = object(&objects, "PrometheusRule", "onceway")?.clone();
        let rules =
            rule["spec"]["groups"].as_array().into_iter().flatten().filter_map(|group| group["rules"].as_array());
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let of_envoy: Vec<(String, String)> = rules
            .flatten()
            .map(|rule| (text(rule, "alert") + &text(rule, "record"), text(rule, "expr")))
            .filter(|(_, expression)| expression.contains("job=\"edge\""))
            .collect();
        if is_ours {
            ensure!(of_envoy.len() > 5, "{kind}: {of_envoy:?}");
            continue;
        }
        let names: Vec<&str> = of_envoy.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["OncewayEnvoyDown"], "{kind}");
        let named = ["envoy_", "onceway_filter"].iter().any(|metric| rule.to_string().contains(metric));
        ensure!(!named, "{kind}: a rule with a metric that has another name there");
    }
    Ok(())
}

#[tokio::test]
async fn the_dashboard_is_that_of_the_repository_and_off_by_default() -> Result<()> {
    let helm = Helm::offline()?;
    let objects = helm.template(&["--set", "monitoring.dashboard.enabled=true"]).await?;
    let map = object(&objects, "ConfigMap", "onceway-dashboard")?;
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    let text = map["data"]["onceway.json"].as_str().context("no dashboard")?;
    let stored = fs::read_to_string(repository().join("deploy/dashboards/onceway.json"))?;
    assert_eq!(text.trim_end(), stored.trim_end());
    let objects = helm.template(&[]).await?;
    ensure!(object(&objects, "ConfigMap", "onceway-dashboard").is_err(), "on by default");
    none_of(&objects, "PrometheusRule")
}
