//! What is wrong is said where it is, in the product's words, and told to assistive technology.

use anyhow::Result;
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::Tab;
use serde_json::json;

const ALERT: &str = r#"{"alerts":[{"labels":{"alertname":"A","namespace":"prod","deployment":"web"}}]}"#;

/// The description of the text box of this name, and whether it is marked as invalid.
async fn described(tab: &mut Tab, id: &str, name: &str) -> Result<(String, bool)> {
    let invalid =
        tab.evaluate(&format!("document.getElementById('{id}').getAttribute('aria-invalid') === 'true'")).await?;
    let tree = tab.accessible().await?;
    let found = tree.into_iter().find(|[role, shown, _]| role == "textbox" && shown == name);
    Ok((found.map(|[_, _, description]| description).unwrap_or_default(), invalid == json!(true)))
}

#[tokio::test]
async fn a_problem_is_in_the_description_of_its_field_which_is_marked_and_has_the_focus_until_it_is_corrected()
-> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    tab.explain("no JSON", "targets: { rules: [ { kind: Queue } ] }").await?;
    let (signals, is_invalid) = described(&mut tab, "signals", "Alerts or event").await?;
    assert!(signals.contains("malformed JSON") && is_invalid, "{signals}");
    let (rules, is_invalid) = described(&mut tab, "rules", "Your target rules").await?;
    assert!(rules.contains("invalid target rules") && rules.contains("name") && is_invalid, "{rules}");
    assert_eq!(tab.focus().await?, "signals");
    assert!(tab.text("summary").await?.contains("Nothing is explained"));

    tab.explain(ALERT, "targets: { rules: [ { kind: Queue } ] }").await?;
    assert_eq!(tab.focus().await?, "rules");
    assert!(tab.shown().await?.incidents.is_empty(), "by other rules than those that are given nothing is explained");
    tab.explain(ALERT, "").await?;
    for (id, name) in [("signals", "Alerts or event"), ("rules", "Your target rules")] {
        let (description, is_invalid) = described(&mut tab, id, name).await?;
        assert!(!description.contains("invalid") && !is_invalid, "{description}");
    }
    assert_eq!(tab.shown().await?.incidents.len(), 1);
    Ok(())
}

#[tokio::test]
async fn problems_are_alerts_and_results_are_a_status_of_live_regions_that_are_there_from_the_begin() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    let roles =
        "['signals-problem', 'rules-problem', 'failure', 'summary'].map((id) => document.getElementById(id).role)";
    assert_eq!(tab.evaluate(roles).await?, json!(["alert", "alert", "alert", "status"]));
    tab.explain(ALERT, "").await?;
    assert!(tab.text("summary").await?.starts_with("1 alert: 1 incident. Target rules "));
    tab.explain(" ", "").await?;
    assert!(tab.text("signals-problem").await?.contains("load an example"));
    Ok(())
}

#[tokio::test]
async fn rules_that_are_wrong_are_named_by_line_and_key() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    for (rules, named) in [
        (
            "targets:\n  rules:\n    - when: { job: \"a*b\" }\n      kind: Queue\n      name: [queue]\n",
            "targets.rules[0].when.job",
        ),
        ("targets:\n  rulez: []\n", "line 2"),
        ("lease: {}\n", "lease"),
    ] {
        tab.explain(ALERT, rules).await?;
        let problem = tab.text("rules-problem").await?;
        assert!(problem.contains(named), "{problem}");
    }
    Ok(())
}
