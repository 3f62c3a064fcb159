//! On small screens, and on paper.

use anyhow::Result;
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::Tab;
use serde_json::json;

#[tokio::test]
async fn a_narrow_screen_needs_no_scrolling_sideways() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::empty().await?;
    let size = json!({ "width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": true });
    tab.call("Emulation.setDeviceMetricsOverride", size).await?;
    tab.navigate(page.url()).await?;
    tab.evaluate("document.querySelector('details').open = true; document.getElementById('load').click()").await?;
    tab.until_explained().await?;
    assert_eq!(tab.evaluate("document.documentElement.scrollWidth").await?, json!(320));
    Ok(())
}

#[tokio::test]
async fn on_paper_there_are_texts_and_results_and_no_controls() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    tab.evaluate("document.getElementById('load').click()").await?;
    tab.until_explained().await?;
    tab.call("Emulation.setEmulatedMedia", json!({ "media": "print" })).await?;
    let visible = |ids: &str| format!("{ids}.map((id) => document.getElementById(id).checkVisibility())");
    assert_eq!(tab.evaluate(&visible("['signals', 'summary', 'incidents']")).await?, json!([true, true, true]));
    assert_eq!(tab.evaluate(&visible("['load', 'explain', 'built-in']")).await?, json!([false, false, false]));
    let fits =
        "(({ scrollHeight, clientHeight }) => scrollHeight <= clientHeight + 2)(document.getElementById('signals'))";
    assert_eq!(tab.evaluate(fits).await?, json!(true), "all of the text is printed");
    let printed = tab.call("Page.printToPDF", json!({})).await?;
    assert!(printed["data"].as_str().is_some_and(|pdf| pdf.starts_with("JVBERi0")), "a PDF");
    Ok(())
}
