//! Without a pointer.

use anyhow::Result;
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::{CONTROL, SHIFT, Tab};

const ALERT: &str = r#"{"alerts":[{"labels":{"alertname":"A","job":"mq","queue":"orders"}}]}"#;
const RULES: &str = "targets:\n  rules:\n    - when: { job: mq }\n      kind: Queue\n      name: [queue]\n";

async fn tab_to(tab: &mut Tab, id: &str) -> Result<()> {
    tab.press("Tab", 0).await?;
    assert_eq!(tab.focus().await?, id);
    Ok(())
}

#[tokio::test]
async fn every_control_is_reached_in_its_order_and_works_by_keys_alone() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    tab_to(&mut tab, "example").await?;
    tab.press("ArrowDown", 0).await?;
    tab_to(&mut tab, "load").await?;
    tab.press(" ", 0).await?;
    tab.until_explained().await?;
    assert_eq!(tab.shown().await?.incidents.len(), 2, "the second example");

    tab_to(&mut tab, "signals").await?;
    tab.press("a", CONTROL).await?;
    tab.write(ALERT).await?;
    assert!(tab.text("summary").await?.contains("changed"));
    tab_to(&mut tab, "rules").await?;
    tab.press("a", CONTROL).await?;
    tab.write(RULES).await?;
    tab.press("Enter", CONTROL).await?;
    tab.until_explained().await?;
    assert_eq!(tab.shown().await?.incidents[0].1, [["0", "A", "rules[0]"]]);
    assert_eq!(tab.focus().await?, "rules", "the focus stays");

    tab.press("a", CONTROL).await?;
    tab.write("# none").await?;
    tab_to(&mut tab, "explain").await?;
    tab.press("Enter", 0).await?;
    tab.until_explained().await?;
    assert_eq!(tab.shown().await?.incidents[0].1, [["0", "A", "cluster"]]);

    tab_to(&mut tab, "summary").await?;
    tab.press("Enter", 0).await?;
    tab.until("the built-in rules are open", "document.querySelector('details').open").await?;
    // Their table scrolls sideways where there is no room, so it takes the focus.
    tab_to(&mut tab, "div").await?;
    tab.press("Tab", SHIFT).await?;
    tab.press("Tab", SHIFT).await?;
    assert_eq!(tab.focus().await?, "explain");
    Ok(())
}

#[tokio::test]
async fn what_has_the_focus_is_seen() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    for id in ["example", "load", "signals", "rules", "explain"] {
        tab_to(&mut tab, id).await?;
        let outline = tab.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)").await?;
        assert!(outline.as_f64().is_some_and(|width| width >= 2.0), "{id}: {outline}");
    }
    Ok(())
}
