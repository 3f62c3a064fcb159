//! Whether metrics exist.

use anyhow::{Context, Result, ensure};
use onceway_kit::prometheus::Prometheus;

use super::watch::PACE;
use super::{dashboard, runbooks, source};

/// Metrics that this system does not have: only with `scope.label` (`tests/e2e/tests/scope.rs`).
const ELSEWHERE: [&str; 1] = ["gateway_scope_in_sync"];

/// Fails unless Prometheus parses every query of the rules, the dashboard and the runbooks, and has seen every metric in them.
pub(super) async fn exist(prometheus: &Prometheus) -> Result<()> {
    let mut metrics = dashboard::metrics(prometheus).await?;
    for (name, query) in source::expressions()?.into_iter().chain(runbooks::queries()?) {
        let named =
            prometheus.metrics_of(&PACE.expression(&query)?).await.with_context(|| format!("the query of {name}"))?;
        metrics.extend(named);
    }
    metrics.retain(|metric| !ELSEWHERE.contains(&metric.as_str()));
    ensure!(metrics.len() > 40, "only {metrics:?}");
    let mut missing = Vec::new();
    for metric in &metrics {
        if prometheus.query(&format!("count(last_over_time({metric}[1h]))")).await?.is_empty() {
            missing.push(metric);
        }
    }
    ensure!(missing.is_empty(), "Prometheus has never seen {missing:?}");
    Ok(())
}
