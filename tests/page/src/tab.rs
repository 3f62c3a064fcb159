//! A page in a browser of its own.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use onceway_kit::poll::until;
use serde_json::{Value, json};

use crate::devtools::DevTools;

/// How long the page may take to be ready, or to explain, on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Records from the begin on what the page's policy forbids.
const RECORD_VIOLATIONS: &str = "window.violations = []; document.addEventListener('securitypolicyviolation', \
     (event) => window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));";
/// The modifiers of a key.
pub const SHIFT: u8 = 8;
/// The modifiers of a key.
pub const CONTROL: u8 = 2;

/// A page.
pub struct Tab {
    devtools: DevTools,
    session: String,
}

/// What the page shows as result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The fingerprint of each incident, and the rows of its alerts.
    pub incidents: Vec<(String, Vec<Vec<String>>)>,
    /// The rows of the alerts without an incident.
    pub others: Vec<Vec<String>>,
}

impl Tab {
    /// Shows `url`, and waits until the page is ready.
    ///
    /// # Errors
    /// If the browser does not start, or the page is not ready in time.
    pub async fn open(url: &str) -> Result<Self> {
        let mut tab = Self::empty().await?;
        tab.navigate(url).await?;
        Ok(tab)
    }

    /// A page that shows nothing yet.
    ///
    /// # Errors
    /// If the browser does not start.
    pub async fn empty() -> Result<Self> {
        let mut devtools = DevTools::start().await?;
        let target = devtools.call(None, "Target.createTarget", json!({ "url": "about:blank" })).await?;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = devtools.call(None, "Target.attachToTarget", attach).await?;
        let session = attached["sessionId"].as_str().context("no session")?.to_owned();
        let mut tab = Self { devtools, session };
        for domain in ["Page", "Network", "Runtime", "Log", "Accessibility"] {
            tab.call(&format!("{domain}.enable"), json!({})).await?;
        }
        tab.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": RECORD_VIOLATIONS })).await?;
        Ok(tab)
    }

    /// Shows `url`, and waits until the page is ready.
    ///
    /// # Errors
    /// If it is not ready in time.
    pub async fn navigate(&mut self, url: &str) -> Result<()> {
        let went = self.call("Page.navigate", json!({ "url": url })).await?;
        if let Some(error) = went["errorText"].as_str() {
            bail!("the browser cannot show {url}: {error}");
        }
        self.until("the page is ready", "document.documentElement.dataset.ready === 'true'").await
    }

    /// Calls a method of the protocol.
    ///
    /// # Errors
    /// Those of [`DevTools::call`].
    pub async fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.devtools.call(Some(&self.session), method, parameters).await
    }

    /// The value of a JavaScript expression in the page; of a promise, what it becomes.
    ///
    /// # Errors
    /// If it throws.
    pub async fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.call("Runtime.evaluate", parameters).await?;
        if !answer["exceptionDetails"].is_null() {
            bail!("the page threw {}", answer["exceptionDetails"]);
        }
        Ok(answer["result"]["value"].take())
    }

    /// Waits until a JavaScript expression is true.
    ///
    /// # Errors
    /// If it does not become true in time.
    pub async fn until(&mut self, what: &str, expression: &str) -> Result<()> {
        until(LIMIT, what, async || {
            // While a page is being loaded its predecessor's context may go.
            let value = self.evaluate(expression).await.unwrap_or_default();
            Ok((value == json!(true)).then_some(()))
        })
        .await
    }

    /// Presses a key, with modifiers.
    ///
    /// # Errors
    /// If the key is none of those that are known here.
    pub async fn press(&mut self, key: &str, modifiers: u8) -> Result<()> {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            "ArrowDown" => ("ArrowDown", 40, ""),
            " " => ("Space", 32, " "),
            "a" => ("KeyA", 65, ""),
            other => bail!("{other} is no key that is known here"),
        };
        let mut event = json!({ "key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers });
        if modifiers == CONTROL && key == "a" {
            event["commands"] = json!(["selectAll"]);
        }
        event["type"] = json!(if text.is_empty() || modifiers != 0 { "rawKeyDown" } else { "keyDown" });
        event["text"] = json!(if modifiers == 0 { text } else { "" });
        self.call("Input.dispatchKeyEvent", event.clone()).await?;
        (event["type"], event["text"]) = (json!("keyUp"), json!(""));
        self.call("Input.dispatchKeyEvent", event).await?;
        Ok(())
    }

    /// Types a text where the focus is, in place of what is selected.
    ///
    /// # Errors
    /// If the browser has ended.
    pub async fn write(&mut self, text: &str) -> Result<()> {
        self.call("Input.insertText", json!({ "text": text })).await.map(drop)
    }

    /// The id of the element that has the focus.
    ///
    /// # Errors
    /// If the browser has ended.
    pub async fn focus(&mut self) -> Result<String> {
        let id = self.evaluate("document.activeElement.id || document.activeElement.localName").await?;
        Ok(id.as_str().unwrap_or_default().to_owned())
    }

    /// Puts texts into the fields, and has them explained.
    ///
    /// # Errors
    /// If the page is not done in time.
    pub async fn explain(&mut self, signals: &str, rules: &str) -> Result<()> {
        let fill = format!(
            "document.getElementById('signals').value = {}; document.getElementById('rules').value = {}; \
             document.getElementById('explain').click()",
            json!(signals),
            json!(rules)
        );
        self.evaluate(&fill).await?;
        self.until_explained().await
    }

    /// Waits until what was asked for is explained.
    ///
    /// # Errors
    /// If the page is not done in time.
    pub async fn until_explained(&mut self) -> Result<()> {
        self.until("an explanation", "document.getElementById('output').getAttribute('aria-busy') === 'false'").await
    }

    /// What the page shows as result.
    ///
    /// # Errors
    /// If the browser has ended.
    pub async fn shown(&mut self) -> Result<Shown> {
        const READ: &str = "(() => {
            const rows = (part) => [...part.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent));
            const incident = (item) => [item.querySelector('.fingerprint').textContent, rows(item)];
            return [[...document.querySelectorAll('#incidents > li')].map(incident), rows(document.getElementById('others'))];
        })()";
        let (incidents, others) = serde_json::from_value(self.evaluate(READ).await?)?;
        Ok(Shown { incidents, others })
    }

    /// The text of the element with this id.
    ///
    /// # Errors
    /// If there is none.
    pub async fn text(&mut self, id: &str) -> Result<String> {
        let text = self.evaluate(&format!("document.getElementById({}).textContent", json!(id))).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// What assistive technology is told: the role, the name and the description of each object, in order.
    ///
    /// # Errors
    /// If the browser has ended.
    pub async fn accessible(&mut self) -> Result<Vec<[String; 3]>> {
        let tree = self.call("Accessibility.getFullAXTree", json!({})).await?;
        let nodes = tree["nodes"].as_array().context("no tree")?;
        let shown = nodes.iter().filter(|node| node["ignored"] != true);
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().to_owned();
        Ok(shown.map(|node| ["role", "name", "description"].map(|key| text(&node[key]))).collect())
    }

    /// The addresses of all requests that the page made.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let requests = self.devtools.events("Network.requestWillBeSent").into_iter();
        requests.filter_map(|event| event["request"]["url"].as_str()).map(str::to_owned).collect()
    }

    /// The addresses of all responses that the page got.
    #[must_use]
    pub fn responses(&self) -> Vec<String> {
        let responses = self.devtools.events("Network.responseReceived").into_iter();
        responses.filter_map(|event| event["response"]["url"].as_str()).map(str::to_owned).collect()
    }

    /// What the page's script or the browser complained about.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let thrown = self.devtools.events("Runtime.exceptionThrown").into_iter().map(Value::to_string);
        let logged = self.devtools.events("Log.entryAdded").into_iter().map(Value::to_string);
        thrown.chain(logged).collect()
    }

    /// What is seen, as PNG: the whole page.
    ///
    /// # Errors
    /// If the browser makes no picture.
    pub async fn picture(&mut self) -> Result<Vec<u8>> {
        let parameters = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.call("Page.captureScreenshot", parameters).await?;
        Ok(BASE64_STANDARD.decode(picture["data"].as_str().context("no picture")?)?)
    }
}
