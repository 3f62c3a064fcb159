//! What assistive technology finds.

use std::fs;

use anyhow::{Context, Result};
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::Tab;
use onceway_tools::Tool;
use serde_json::{Value, json};

/// The violations that axe-core finds: rule, and elements.
async fn violations(tab: &mut Tab) -> Result<Vec<String>> {
    let found = tab.evaluate("axe.run(document).then(({ passes, violations }) => [passes.length, violations])").await?;
    let passed = found[0].as_u64().context("no result of axe-core")?;
    assert!(passed >= 15, "axe-core looked at {passed} rules only");
    let violations = found[1].as_array().context("no violations")?.iter();
    Ok(violations.map(|violation| format!("{}: {}", violation["help"], violation["nodes"])).collect())
}

async fn checked(colours: &str) -> Result<Tab> {
    let mut tab = Tab::empty().await?;
    let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": colours }] });
    tab.call("Emulation.setEmulatedMedia", media).await?;
    Ok(tab)
}

#[tokio::test]
async fn axe_core_finds_no_violation_in_any_state_in_light_and_in_dark() -> Result<()> {
    let page = Served::start(&[]).await?;
    let axe = fs::read_to_string(tokio::task::spawn_blocking(|| Tool::AxeCore.get()).await??)?;
    for colours in ["light", "dark"] {
        let mut tab = checked(colours).await?;
        // The checker is no part of the page.
        tab.call("Page.setBypassCSP", json!({ "enabled": true })).await?;
        tab.navigate(page.url()).await?;
        let is_dark = tab.evaluate("matchMedia('(prefers-color-scheme: dark)').matches").await?;
        assert_eq!(is_dark, json!(colours == "dark"));
        tab.evaluate(&format!("{axe}; typeof axe")).await?;
        assert_eq!(violations(&mut tab).await?, Vec::<String>::new(), "{colours}, at first");
        tab.evaluate("document.querySelector('details').open = true; document.getElementById('load').click()").await?;
        tab.until_explained().await?;
        assert_eq!(violations(&mut tab).await?, Vec::<String>::new(), "{colours}, with a result");
        tab.explain("no JSON", "targets: 3").await?;
        assert_eq!(violations(&mut tab).await?, Vec::<String>::new(), "{colours}, with problems");
    }
    Ok(())
}

#[tokio::test]
async fn every_part_has_its_role_and_a_name() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    tab.evaluate("document.getElementById('load').click()").await?;
    tab.until_explained().await?;
    let tree = tab.accessible().await?;
    for (role, name) in [
        ("heading", "Which alerts become one incident?"),
        ("combobox", "Example"),
        ("button", "Load example"),
        ("textbox", "Alerts or event"),
        ("textbox", "Your target rules"),
        ("button", "Explain"),
        ("region", "Result"),
        ("heading", "Deployment payment-api in namespace prod"),
        ("table", "3 alerts of this incident"),
        ("columnheader", "Rule"),
        ("heading", "No incident"),
        ("heading", "Built-in rules"),
    ] {
        assert!(tree.iter().any(|[shown, named, _]| shown == role && named == name), "no {role} {name:?} in {tree:#?}");
    }
    for role in ["main", "banner", "list", "listitem", "status"] {
        assert!(tree.iter().any(|[shown, ..]| shown == role), "no {role} in {tree:#?}");
    }
    let unnamed: Vec<_> = tree
        .iter()
        .filter(|[role, name, _]| {
            ["button", "textbox", "combobox", "table", "region"].contains(&&**role) && name.is_empty()
        })
        .collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
    let levels =
        tab.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((heading) => heading.localName)").await?;
    assert_eq!(levels, json!(["h1", "h2", "h3", "h3", "h2"]), "no level is left out");
    assert_eq!(tab.evaluate("document.documentElement.lang").await?, Value::from("en"));
    Ok(())
}
