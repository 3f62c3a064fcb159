//! The page and the program say the same of the field's alerts and events.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use onceway_kit::built::sidecar;
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::{Shown, Tab};
use serde_json::{Value, json};

fn read(name: &str) -> Result<Vec<Value>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../signal/tests/field").join(name);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// What `onceway explain --json` says of `input`, a line an alert; an error if it cannot read it.
fn program(input: &str) -> Result<Result<Vec<Value>, String>> {
    let mut command = Command::new(sidecar()?);
    command.args(["explain", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn()?;
    process.stdin.take().context("no input")?.write_all(input.as_bytes())?;
    let output = process.wait_with_output()?;
    if output.status.code() == Some(2) {
        let error = String::from_utf8(output.stderr)?;
        let problem = error.trim_end().strip_prefix("onceway explain: standard input: ").context("another error")?;
        return Ok(Err(problem.to_owned()));
    }
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    Ok(Ok(lines.map(serde_json::from_slice).collect::<Result<_, _>>()?))
}

/// What the page must show of these lines.
fn expected(lines: &[Value]) -> Shown {
    let text = |line: &Value, key: &str| match &line[key] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let row = |line: &Value, keys: &[&str]| keys.iter().map(|key| text(line, key)).collect::<Vec<_>>();
    let mut incidents: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines.iter().filter(|line| line["state"] == "firing") {
        let fingerprint = text(line, "fingerprint");
        let place = *places.entry(fingerprint.clone()).or_insert_with(|| {
            incidents.push((fingerprint, Vec::new()));
            incidents.len() - 1
        });
        incidents[place].1.push(row(line, &["alert", "name", "rule"]));
    }
    let others = lines.iter().filter(|line| line["state"] != "firing");
    Shown { incidents, others: others.map(|line| row(line, &["alert", "name", "state", "reason"])).collect() }
}

/// How many incidents the page shows of `input`, which are those of the program.
async fn compare(tab: &mut Tab, input: &str) -> Result<usize> {
    tab.explain(input, "").await?;
    match program(input)? {
        Ok(lines) => {
            let shown = tab.shown().await?;
            assert_eq!(shown, expected(&lines), "{input}");
            assert_eq!(tab.text("signals-problem").await?, "");
            Ok(shown.incidents.len())
        }
        Err(problem) => {
            assert_eq!(tab.text("signals-problem").await?, problem);
            Ok(0)
        }
    }
}

#[tokio::test]
async fn the_page_shows_the_incidents_of_the_program_for_every_case_of_the_field() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    let (mut bodies, mut incidents) = (0, 0);
    for case in read("cases.jsonl")? {
        for body in case["bodies"].as_array().context("no bodies")? {
            incidents += compare(&mut tab, body.as_str().context("no text")?).await?;
            bodies += 1;
        }
    }
    println!("{bodies} bodies, {incidents} incidents");
    assert!(bodies >= 77 && incidents >= 67, "{bodies} bodies, {incidents} incidents");
    Ok(())
}

#[tokio::test]
async fn the_page_shows_the_incidents_of_the_program_for_all_alerts_of_kube_prometheus_in_one_webhook() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    for table in ["rules-kube-prometheus.jsonl", "rules-kube-prometheus-stack.jsonl"] {
        let alert = |mut row: Value| {
            let mut labels = row["labels"].take();
            (labels["alertname"], labels["severity"]) = (row["alert"].take(), row["severity"].take());
            json!({ "status": "firing", "labels": labels })
        };
        let alerts: Vec<Value> = read(table)?.into_iter().map(alert).collect();
        let incidents = compare(&mut tab, &json!({ "alerts": alerts }).to_string()).await?;
        println!("{table}: {} alerts, {incidents} incidents", alerts.len());
        assert!(alerts.len() >= 147 && incidents > 10 && incidents < alerts.len(), "{incidents}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_program_cannot_read_has_the_programs_words_on_the_page() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    for input in ["no JSON", "[1]", r#"{"type":"ADDED","object":{}}"#, r#"{"alerts":3}"#, r#"{"alerts":[]"#] {
        assert_eq!(compare(&mut tab, input).await?, 0);
        assert!(!tab.text("signals-problem").await?.is_empty(), "{input}");
    }
    Ok(())
}
