//! Nothing leaves the page, and nothing comes into it.

use anyhow::Result;
use onceway_kit::built::page;
use onceway_page_tests::served::Served;
use onceway_page_tests::tab::Tab;
use serde_json::json;

#[tokio::test]
async fn the_page_asks_for_itself_alone_and_breaks_its_own_policy_nowhere() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    for example in ["deployment", "nodes", "event", "own-rules"] {
        let load =
            format!("document.getElementById('example').value = '{example}'; document.getElementById('load').click()");
        tab.evaluate(&load).await?;
        tab.until_explained().await?;
        assert!(!tab.shown().await?.incidents.is_empty(), "{example}");
    }
    tab.explain("no JSON", "").await?;
    let requests: Vec<String> = tab.requests().into_iter().filter(|url| url != "data:,").collect();
    assert_eq!(requests, [page.url()]);
    assert_eq!(tab.evaluate("violations").await?, json!([]));
    assert_eq!(tab.complaints(), Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn what_a_script_in_the_page_could_try_is_forbidden() -> Result<()> {
    let page = Served::start(&[]).await?;
    let mut tab = Tab::open(page.url()).await?;
    let loopback = page.url();
    for (attempt, directive) in [
        (format!("fetch('{loopback}?stolen').then(() => 'sent', () => 'refused')"), "connect-src"),
        (format!("navigator.sendBeacon('{loopback}?stolen') && 'tried'"), "connect-src"),
        (format!("new Promise((end) => {{ const image = new Image(); image.onload = () => end('sent'); image.onerror = () => end('refused'); image.src = '{loopback}?stolen'; }})"), "img-src"),
        ("try { document.body.innerHTML = '<b>'; 'set' } catch { 'refused' }".to_owned(), "require-trusted-types-for"),
        ("try { const script = document.createElement('script'); script.textContent = 'hacked = 1'; document.body.append(script); 'set' } catch { 'refused' }".to_owned(), "require-trusted-types-for"),
        ("const style = document.createElement('style'); style.textContent = 'b{}'; document.body.append(style); 'tried'".to_owned(), "style-src-elem"),
        ("const form = document.createElement('form'); form.action = 'http://127.0.0.1:9/'; document.body.append(form); form.submit(); 'tried'".to_owned(), "form-action"),
    ] {
        let end = tab.evaluate(&format!("{{ {attempt} }}")).await?;
        assert!(["refused", "tried"].map(|end| json!(end)).contains(&end), "{attempt}: {end}");
        let forbidden = format!("violations.some((violation) => violation.startsWith('{directive} '))");
        tab.until(&format!("{directive} is forbidden"), &forbidden).await?;
        tab.evaluate("violations.length = 0").await?;
    }
    assert_eq!(tab.responses(), [loopback], "nothing but the page itself was answered");
    assert_eq!(tab.evaluate("typeof hacked").await?, json!("undefined"));
    Ok(())
}

#[tokio::test]
async fn the_page_works_as_a_file_without_a_server() -> Result<()> {
    let file = tokio::task::spawn_blocking(page::path).await??;
    let mut tab = Tab::open(&format!("file://{}", file.display())).await?;
    tab.evaluate("document.getElementById('load').click()").await?;
    tab.until_explained().await?;
    let shown = tab.shown().await?;
    let names: Vec<&str> = shown.incidents[0].1.iter().map(|row| &*row[1]).collect();
    assert_eq!(names, ["KubePodCrashLooping", "KubePodNotReady", "KubeDeploymentReplicasMismatch"]);
    assert_eq!(tab.evaluate("violations").await?, json!([]));
    Ok(())
}
