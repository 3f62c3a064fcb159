//! Large inputs.

use anyhow::{Context, Result};
use onceway_page::{MAX_RULES_BYTES, MAX_SIGNALS_BYTES};
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::Tab;
use serde_json::{Value, json};

/// How long the page may not respond, in milliseconds, on a loaded machine. Alone it takes a second or two.
const BOUND: f64 = 10_000.0;

/// A webhook of as many alerts as fit.
fn largest(limit: usize) -> (String, usize) {
    let alert = |number: usize| {
        let labels = json!({ "alertname": "KubePodNotReady", "severity": "warning", "namespace": "prod",
            "pod": format!("payment-{}-7d4b8c9f5d-x2k4z", number % 400) });
        json!({ "status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-03-01T10:00:00Z" })
    };
    let one = alert(1_000_399).to_string().len() + 1;
    let alerts: Vec<Value> = (0..(limit - 20) / one).map(alert).collect();
    let count = alerts.len();
    let text = json!({ "alerts": alerts }).to_string();
    (format!("{text}{}", " ".repeat(limit - text.len())), count)
}

#[tokio::test]
async fn the_largest_input_is_explained_within_a_bound_and_as_many_rows_are_shown_as_a_page_shows() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    let (signals, count) = largest(MAX_SIGNALS_BYTES);
    assert_eq!(signals.len(), MAX_SIGNALS_BYTES);
    // The longest time between two turns of the page's own loop is how long it did not respond.
    let watch = "window.longest = 0; { let last = performance.now(); setInterval(() => {
        const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now; }, 10); }";
    tab.evaluate(watch).await?;
    tab.explain(&signals, "").await?;
    let longest = tab.evaluate("longest").await?.as_f64().context("no time")?;
    println!("{count} alerts in {MAX_SIGNALS_BYTES} bytes: the page did not respond for {longest:.0} ms");
    assert!(longest < BOUND, "{longest} ms");
    assert!(tab.text("summary").await?.starts_with(&format!(
        "{},{:03} alerts: 400 incidents.",
        count / 1000,
        count % 1000
    )));
    let shown = tab.shown().await?;
    let rows: usize = shown.incidents.iter().map(|(_, rows)| rows.len()).sum();
    assert_eq!(rows, 1000);
    assert!(tab.text("others").await?.contains("more incidents not shown"), "{}", tab.text("others").await?);
    Ok(())
}

#[tokio::test]
async fn more_is_refused_with_the_limit_and_the_command_that_takes_more() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    let rules = format!("#{}", "x".repeat(MAX_RULES_BYTES));
    tab.explain(&largest(MAX_SIGNALS_BYTES + 1).0, &rules).await?;
    for (id, limit) in [("signals-problem", MAX_SIGNALS_BYTES), ("rules-problem", MAX_RULES_BYTES)] {
        let problem = tab.text(id).await?;
        assert!(problem.contains(&limit.to_string()) && problem.contains("`onceway explain`"), "{problem}");
    }
    Ok(())
}
