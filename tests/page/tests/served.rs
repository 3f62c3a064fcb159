//! `onceway explain --serve`.

use std::fs;

use anyhow::Result;
use onceway_explain::parse_rules;
use onceway_kit::scratch::Scratch;
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::Tab;

const ALERT: &str = r#"{"alerts":[{"labels":{"alertname":"A","job":"mq","queue":"orders"}}]}"#;
const CONFIGURATION: &str = "lease: {}\ntargets:\n  rules:\n    - when: { job: mq, note: '</script><b>*' }\n      kind: Queue\n      name: [queue]\n    - when: { job: mq }\n      kind: Queue\n      name: [queue]\n";

#[tokio::test]
async fn the_page_begins_with_the_rules_of_the_configuration_and_explains_by_them() -> Result<()> {
    let scratch = Scratch::new("page-config")?;
    let file = scratch.path().join("onceway.yaml");
    fs::write(&file, CONFIGURATION)?;
    let page = Served::start(&["--config", &file.display().to_string()]).await?;
    let mut tab = Tab::open(page.url()).await?;
    let rules = tab.evaluate("document.getElementById('rules').value").await?;
    let rules = parse_rules(rules.as_str().unwrap_or_default())?;
    tab.evaluate(&format!(
        "document.getElementById('signals').value = '{ALERT}'; document.getElementById('explain').click()"
    ))
    .await?;
    tab.until_explained().await?;
    assert_eq!(tab.shown().await?.incidents[0].1, [["0", "A", "rules[1]"]]);
    assert!(tab.text("summary").await?.ends_with(&format!("Target rules {}.", rules.hash())));
    Ok(())
}

#[tokio::test]
async fn without_a_configuration_the_page_begins_with_no_rules() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    assert_eq!(tab.evaluate("document.getElementById('rules').value").await?, "");
    assert!(tab.evaluate("document.querySelectorAll('#rules-table tbody tr').length").await?.as_u64() > Some(50));
    Ok(())
}
