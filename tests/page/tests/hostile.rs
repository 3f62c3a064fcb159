//! Texts of a sender are shown as texts.

use anyhow::Result;
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::Tab;
use serde_json::json;

#[tokio::test]
async fn markup_in_names_and_reasons_is_text() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    let hostile = [
        "<img src=x onerror=hacked=1>",
        "</td></script><script>hacked=1</script>",
        "<svg/onload=hacked=1>{{constructor}}",
        "\u{202e}reversed \u{0} zero & <!--",
    ];
    let firing = hostile.map(|text| json!({ "labels": { "alertname": text, "host": "h", "cluster": text } }));
    let rejected = json!({ "labels": "<b>bold</b>" });
    let alerts: Vec<_> = firing.into_iter().chain([rejected]).collect();
    tab.explain(&json!({ "alerts": alerts }).to_string(), "").await?;
    let shown = tab.shown().await?;
    assert_eq!(shown.incidents.len(), hostile.len());
    for (text, (_, rows)) in hostile.iter().zip(&shown.incidents) {
        assert_eq!(rows[0][1], *text);
    }
    assert!(shown.others[0][3].contains("<b>bold</b>"), "{shown:?}");
    let made =
        tab.evaluate("document.querySelectorAll('#output img, #output svg, #output script, #output b').length").await?;
    assert_eq!(made, json!(0));
    assert_eq!(tab.evaluate("typeof hacked").await?, json!("undefined"));

    tab.explain("{\"alerts\": <img src=x onerror=hacked=1>", "<script>hacked=1</script>: 1").await?;
    assert!(!tab.text("signals-problem").await?.is_empty() && tab.text("rules-problem").await?.contains("<script>"));
    assert_eq!(tab.evaluate("document.querySelectorAll('form img, form script').length").await?, json!(0));
    assert_eq!(tab.evaluate("violations").await?, json!([]));
    Ok(())
}

#[tokio::test]
async fn half_a_character_is_replaced_and_fails_nothing() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    let fill = r#"document.getElementById('signals').value = '{"alerts":[{"labels":{"alertname":"a\ud800b"}}]}';
        document.getElementById('explain').click()"#;
    tab.evaluate(fill).await?;
    tab.until_explained().await?;
    assert_eq!(tab.text("failure").await?, "");
    assert_eq!(tab.shown().await?.incidents[0].1[0][1], "a\u{fffd}b");
    Ok(())
}
